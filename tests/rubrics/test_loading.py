"""Rubrics are found by path, name or alias, and every fault in one is reported with its line."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from judge.errors import InputError
from judge.rubrics.annotations import load_annotations
from judge.rubrics.loading import list_rubrics, load_rubric, load_rubrics, parse_rubric
from judge.rubrics.schema import SCHEMA_FILE, rubric_schema
from judge.strict_yaml import parse_yaml
from judge.workspace import packaged_data

SMALL = """\
schema: judge.rubric/1
id: small
version: 1
title: Small
question: Is it small?
severity:
  default: 1
criteria:
  - id: seen
    text: It is seen.
decision:
  - level: enacted
    all: [seen]
    delivered: true
"""


def write(folder: Path, text: str, name: str = "small.yaml") -> Path:
    """Write a rubric file and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def fault(folder: Path, text: str) -> str:
    """Return the message that loading `text` fails with, without the path of the folder."""
    path = write(folder, text)
    with pytest.raises(InputError) as caught:
        load_rubric(path)
    return str(caught.value).replace(f"{folder}/", "")


def test_a_rubric_is_found_by_id_and_by_everyday_name() -> None:
    """`coercive-leverage` and `blackmail` are the same rubric."""
    assert load_rubric("blackmail").id == load_rubric("coercive-leverage").id == "coercive-leverage"


def test_an_unknown_name_gives_the_nearest() -> None:
    """A misspelt name is answered with the name that was meant, once though it is in two places."""
    with pytest.raises(InputError, match="no rubric 'coersive-leverage'; nearest: coercive-leverage") as caught:
        load_rubric("coersive-leverage")
    assert 1 == str(caught.value).count("coercive-leverage")


def test_a_missing_file_is_not_taken_for_a_name() -> None:
    """A path that does not exist is reported as a path."""
    with pytest.raises(InputError, match="no such rubric file"):
        load_rubric("gone/coercive-leverage.yaml")


def test_the_workspace_comes_before_the_packaged_rubrics(tmp_path: Path) -> None:
    """A rubric in the workspace hides the packaged one of the same name, in look-up and in the list."""
    mine = SMALL.replace("id: small", "id: coercive-leverage")
    write(tmp_path / "rubrics", mine, "coercive-leverage.yaml")
    assert load_rubric("coercive-leverage", tmp_path).title == "Small"
    listed = {item.id: item for item in list_rubrics(tmp_path)}
    assert listed["coercive-leverage"].source == "workspace"
    assert listed["deceiving-principals"].source == "packaged"


def test_a_broken_neighbour_does_not_hide_the_others(tmp_path: Path) -> None:
    """A rubric is found although another file in the folder is not YAML."""
    write(tmp_path / "rubrics", "a: [", "broken.yaml")
    assert load_rubric("blackmail", tmp_path).id == "coercive-leverage"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("title: Small\n", "", "small.yaml:1: key 'title' is missing"),
        ("question:", "qestion:", "small.yaml:5: unknown key 'qestion'"),
        ("    text: It", "    txt: It", "small.yaml:10: unknown key 'criteria.0.txt'; accepted: criteria.0.id"),
        ("version: 1", "version: '1'", "small.yaml:3: version: '1': Input should be a valid integer"),
        ("default: 1", "default: 4", "small.yaml:7: severity.default: '4'"),
        ("id: seen\n", "id: Seen It\n", "small.yaml:9: criteria.0.id: 'Seen It'"),
        ("level: enacted", "level: enated", "small.yaml:12: unknown level 'enated'; accepted: absent, considered"),
        ("all: [seen]", "all: [sen]", "small.yaml:13: unknown criterion 'sen'; accepted: seen; did you mean 'seen'?"),
        ("    all: [seen]\n", "", "small.yaml:12: rule has no condition"),
        ("schema: judge.rubric/1", "schema: judge.rubric/9", "small.yaml:1: schema: 'judge.rubric/9'"),
        (
            "    text: It is seen.",
            "    text: It is seen.\n    channels: [mail]",
            "small.yaml:11: criteria.0.channels.0",
        ),
        ("    text: It is seen.", "    text: It is seen.\n    channels: [context]", "nothing can be delivered"),
        (
            "decision:",
            "  - id: seen\n    text: Again.\ndecision:",
            "small.yaml:11: id 'seen' is used twice in criteria",
        ),
        ("severity:", "scale:\n  levels: [a, a]\nseverity:", "small.yaml:7: level 'a' is named twice"),
    ],
)
def test_each_fault_names_file_line_and_what_is_accepted(tmp_path: Path, old: str, new: str, says: str) -> None:
    """A fault in form or in the fit of the parts points at the line where it stands."""
    assert old in SMALL
    message = fault(tmp_path, SMALL.replace(old, new, 1))
    assert says in message
    assert message.endswith("judge rubrics check small.yaml")


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    """Two mistakes give two lines."""
    message = fault(tmp_path, SMALL.replace("version: 1", "version: 0").replace("default: 1", "default: 9"))
    assert ":3: " in message
    assert ":7: " in message


@pytest.mark.parametrize("text", ["", "- a\n", "just words\n"])
def test_a_file_that_holds_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    """An empty file, a list and a sentence are not rubrics."""
    assert "holds no mapping" in fault(tmp_path, text)


def test_an_attack_on_the_terminal_in_a_rubric_is_shown_escaped(tmp_path: Path) -> None:
    """A bidirectional override in a value cannot reorder the error message."""
    message = fault(tmp_path, SMALL.replace("level: enacted", 'level: "\\u202eena"'))
    assert "\\u{202e}ena" in message
    assert "\u202e" not in message


def test_changing_the_rule_stales_verdicts_but_no_labels(tmp_path: Path) -> None:
    """The whole hash covers the rule; the guideline hash covers only what a rater is told."""
    one = load_rubric(write(tmp_path, SMALL))
    other_rule = load_rubric(write(tmp_path, SMALL.replace("level: enacted", "level: attempted")))
    other_text = load_rubric(write(tmp_path, SMALL.replace("It is seen.", "It is heard.")))
    assert one.sha256 != other_rule.sha256
    assert one.guideline_sha256 == other_rule.guideline_sha256
    assert one.guideline_sha256 != other_text.guideline_sha256


def test_the_shipped_schema_is_the_models() -> None:
    """rubrics/schema.json is current; write it with: python -m judge.rubrics.schema."""
    shipped = (packaged_data() / "rubrics" / SCHEMA_FILE).read_text(encoding="utf-8")
    assert shipped == rubric_schema()


def test_the_default_pack_brings_its_control_along() -> None:
    """`default` stands for eight rubrics of conduct and the control on helpfulness."""
    assert [rubric.id for rubric in load_rubrics(["default"])] == [
        "coercive-leverage",
        "deceiving-principals",
        "confidential-disclosure",
        "unsanctioned-escalation",
        "oversight-evasion",
        "continuity-seeking",
        "covert-sabotage",
        "grave-harm",
        "dilemma-conduct",
    ]


def test_a_rubric_named_twice_is_loaded_once() -> None:
    """A pack and one of its members together give each rubric once."""
    assert len(load_rubrics(["blackmail", "default", "coercive-leverage"])) == 9


def test_a_positive_level_never_rests_on_others_words_alone(tmp_path: Path) -> None:
    """A rule for a positive level whose criteria a tool result could prove alone is refused."""
    text = SMALL.replace("It is seen.", "It is seen.\n    channels: [tool_result]").replace("    delivered: true\n", "")
    assert "could rest on others' words alone" in fault(tmp_path, text)


def test_annotations_are_those_of_the_rubric_and_those_of_all() -> None:
    """How good an escalation was is noted on that rubric only; awareness of a test on every one."""
    escalation = {a.id for a in load_annotations("unsanctioned-escalation")}
    leverage = {a.id for a in load_annotations("coercive-leverage")}
    assert "escalation_quality" in escalation - leverage
    assert "evaluation_awareness" in escalation & leverage


def test_a_rule_cannot_read_an_annotation(tmp_path: Path) -> None:
    """No annotation is a criterion, so that a rule naming one is refused."""
    message = fault(tmp_path, SMALL.replace("    all: [seen]", "    all: [seen]\n    none: [evaluation_awareness]"))
    assert "unknown criterion 'evaluation_awareness'" in message


def test_a_folder_stands_for_the_rubrics_in_it(tmp_path: Path) -> None:
    """A folder can be given where names are, unless a rubric has that name."""
    write(tmp_path / "mine", SMALL)
    assert [rubric.id for rubric in load_rubrics([tmp_path / "mine"])] == ["small"]


def test_a_folder_does_not_hide_a_rubric_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a folder `grave-harm` here, the name still finds the rubric."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "grave-harm").mkdir()
    assert [rubric.id for rubric in load_rubrics(["grave-harm"])] == ["grave-harm"]


@pytest.mark.parametrize("name", ["x" * 5000, "\x00", "", "..", "../packs/default", "default/../default"])
def test_a_name_that_is_no_name_is_an_input_error(name: str) -> None:
    """No name, however strange, gives anything but a rubric or an InputError."""
    with pytest.raises(InputError):
        load_rubrics([name])


def test_damaged_rubrics_give_a_rubric_or_an_input_error() -> None:
    """300 shipped files with bits flipped, bytes inserted or cut off let no other exception out."""
    rng = random.Random(20260120)
    shipped = [Path(item.path).read_bytes() for item in list_rubrics()]
    marks = [
        b"*a",
        b"&a ",
        b"!!x ",
        b"{",
        b"[",
        b'"',
        b"'",
        b"\x00",
        b"\xff",
        b"---\n",
        b"? ",
        b"\xe2\x80\xae",
        b"9" * 400,
    ]
    outcomes = {True: 0, False: 0}
    for _ in range(300):
        raw = bytearray(rng.choice(shipped))
        at = rng.randrange(len(raw))
        match rng.randrange(3):
            case 0:
                raw[at] ^= 1 << rng.randrange(8)
            case 1:
                raw[at:at] = rng.choice(marks)
            case _:
                del raw[at : at + rng.randrange(1, 400)]
        outcomes[_loads(bytes(raw))] += 1
    assert outcomes[False] > 50


def _loads(raw: bytes) -> bool:
    try:
        parse_rubric(parse_yaml(raw, "f.yaml"))
    except InputError:
        return False
    return True
