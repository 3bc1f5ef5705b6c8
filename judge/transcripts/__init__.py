"""Transcripts: the model, and reading them from any harness.

`read` and `iter_transcripts` turn files into `Transcript`s; `detect` says what a file is.
"""

from judge.transcripts.limits import Limits
from judge.transcripts.model import TARGET, Message, Part, Pointer, Source, Tool, Transcript, Warn
from judge.transcripts.pointing import reread
from judge.transcripts.reading import detect, iter_transcripts, read
from judge.transcripts.source import Unreadable

__all__ = [
    "TARGET",
    "Limits",
    "Message",
    "Part",
    "Pointer",
    "Source",
    "Tool",
    "Transcript",
    "Unreadable",
    "Warn",
    "detect",
    "iter_transcripts",
    "read",
    "reread",
]
