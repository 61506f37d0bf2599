"""The requirements of the Docker image are what the server imports, in the versions of the lock file."""

import re
from importlib.metadata import packages_distributions

from source_tree import IMPORTS_AT_START, ROOT, TREES, executed, imported, reached_at_start

REQUIREMENTS = {
    line for line in (ROOT / "docker/requirements.txt").read_text(encoding="utf-8").split("\n") if re.match(r"\w", line)
}


def test_requirements_are_in_the_lock_file() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert [name for name in REQUIREMENTS if not re.search(rf"^{name.replace('.', '-')}==", lock, re.MULTILINE)] == []


def test_everything_that_the_server_imports_at_its_start_is_required() -> None:
    starts = ("cvnlp.cli", "cvnlp.serving.server", "cvnlp.vision.serving.http", "cvnlp.language.serving.http")
    modules = {name for start in starts for name in reached_at_start(start)}
    own = {name.partition(".")[0] for module in modules for name in IMPORTS_AT_START.get(module, ())}
    lazily = imported(executed(TREES["cvnlp.serving.loading"]))
    distributions = packages_distributions()
    needed = {name.lower() for top in own | lazily for name in distributions.get(top, [])}
    installed_by_others = {"cvnlp", "starlette", "markupsafe", "ruamel.yaml.clib"}
    assert needed - installed_by_others <= REQUIREMENTS
