"""`cvnlp schema`: the JSON Schema of params.yaml, for editors."""

import json


def schema() -> None:
    """Print the JSON Schema of params.yaml.

    Editors complete keys and mark mistakes with it: params.schema.json is a copy.
    """
    from cvnlp.reference.schema import params_schema

    print(json.dumps(params_schema(), indent=1))
