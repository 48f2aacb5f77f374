import pytest
from pydantic import BaseModel, ValidationError

from engine.durations import Duration


@pytest.mark.parametrize(
    ("text", "epochs", "steps", "written"),
    [
        ("2ep", 2, 0, "2ep"),
        ("500it", 0, 500, "500it"),
        ("1ep30it", 1, 30, "1ep30it"),
        ("init", 0, 0, "init"),
        ("0ep", 0, 0, "init"),
        ("007ep", 7, 0, "7ep"),
        ("9999999ep999999999it", 9_999_999, 999_999_999, "9999999ep999999999it"),
    ],
)
def test_durations_are_read_and_written(text, epochs, steps, written):
    duration = Duration.parse(text)
    assert (duration.epochs, duration.steps) == (epochs, steps)
    assert str(duration) == written
    assert Duration.parse(written) == duration


WRONG = ["", "2", "ep", "it", "2 ep", "2EP", "-1ep", "1.5ep", "30it1ep", "2ep ", "init2ep", "2eps"]


@pytest.mark.parametrize("text", [*WRONG, "1" * 9 + "ep", "٢ep"])
def test_other_forms_are_refused(text):
    with pytest.raises(ValueError, match="is no duration; write 2ep, 500it, 1ep30it or init"):
        Duration.parse(text)


def test_durations_last_a_number_of_steps():
    assert Duration(2, 5).in_steps(391) == 787
    assert Duration().in_steps(391) == 0


class Settings(BaseModel):
    lasts: Duration = Duration(1)


def test_durations_are_fields_of_settings():
    assert Settings.model_validate({"lasts": "2ep"}).lasts == Duration(2)
    assert Settings(lasts=Duration(3)).model_dump(mode="json") == {"lasts": "3ep"}
    with pytest.raises(ValidationError, match="'2' is no duration"):
        Settings.model_validate({"lasts": 2})
    schema = Settings.model_json_schema()["properties"]["lasts"]
    assert schema["type"] == "string" and "2ep" in schema["examples"]
