"""Artifact locations in the project's own database after the project's folder was moved, renamed or copied."""

import sqlalchemy

# MLflow stores absolute locations in these columns, and its clients cannot change them
LOCATIONS = {"experiments": "artifact_location", "runs": "artifact_uri", "logged_models": "artifact_location"}


def move_artifacts(database: str, old: str, new: str) -> None:
    """Replace the location `old` by `new`, also as the beginning of other locations; both are URIs of folders."""
    engine = sqlalchemy.create_engine(database)
    with engine.begin() as connection:
        for table, column in LOCATIONS.items():
            place: sqlalchemy.ColumnClause[str] = sqlalchemy.column(column)
            rest = sqlalchemy.func.substr(place, len(old) + 1)
            inside = sqlalchemy.or_(place == old, place.startswith(f"{old}/", autoescape=True))
            connection.execute(
                sqlalchemy.update(sqlalchemy.table(table, place)).where(inside).values({column: new + rest})
            )
    engine.dispose()
