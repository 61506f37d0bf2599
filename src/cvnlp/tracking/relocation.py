"""Artifact locations in the project's own database after the project's folder was moved, renamed or copied."""

import sqlalchemy

# MLflow stores absolute locations in these columns (table, column), and its clients cannot change them
LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
    ("model_versions", "source"),
    ("trace_tags", "value"),
)


def move_artifacts(database: str, old: str, new: str) -> None:
    """Replace the location `old` by `new`, also as the beginning of other locations; both are URIs of folders."""
    engine = sqlalchemy.create_engine(database)
    with engine.begin() as connection:
        for table, column in LOCATIONS:
            place: sqlalchemy.ColumnClause[str] = sqlalchemy.column(column)
            # not LIKE, which takes upper and lower case for the same
            inside = sqlalchemy.func.substr(place.op("||")("/"), 1, len(old) + 1) == f"{old}/"
            rest = sqlalchemy.func.substr(place, len(old) + 1)
            connection.execute(
                sqlalchemy.update(sqlalchemy.table(table, place)).where(inside).values({column: new + rest})
            )
    engine.dispose()
