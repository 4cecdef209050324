"""What a person types while a run is shown: keys, the questions that follow, and the commands that come of the answers."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NamedTuple

from runner.run.commands import Command
from runner.screen.cells import Line, Tone, Toned, line
from runner.screen.picture import Foot, Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runner.run.facts import Facts
    from runner.screen.charset import Charset

_ENTER, _BACK, _CLEAR, _CANCEL = {"\r", "\n"}, {"\x7f", "\b"}, {"\x15"}, {"\x1b", "\x07", "\x04"}
_LONGEST_ANSWER = 400
_WHY = "why"


class Given(NamedTuple):
    """A command that a person gave, with why."""

    command: Command
    why: str

    def typed(self, run_id: str) -> str:
        """As it is typed in a shell."""
        command = self.command
        settings = (f"{name}={value}" for name, value in command.settings.items())
        why = ["--why", self.why] if self.why else []
        # What begins with a dash would be taken for an option.
        target = ["--", command.target] if command.target.startswith("-") else [command.target]
        return shlex.join(["runner", command.action, run_id, *settings, *why, *(target if command.target else [])])


class Detached(NamedTuple):
    """The person has seen enough."""


class _Question(NamedTuple):
    name: str
    text: str


class _Form(NamedTuple):
    """Questions, and the command that their answers make; a text instead, if they make none."""

    questions: tuple[_Question, ...]
    made: Callable[[Mapping[str, str]], Command | str]


class Dialogue:
    """The foot of a picture. `may_type`: there are keys; `may_detach`: the run goes on without whoever shows it."""

    def __init__(self, charset: Charset, *, may_type: bool, may_detach: bool) -> None:
        self._charset = charset
        self._may_type = may_type
        self._may_detach = may_detach
        self._form: _Form | None = None
        self._answers: dict[str, str] = {}
        self._answer = ""
        self._said: tuple[str, Tone] = ("", Tone.PLAIN)
        self.subject = Subject.RUN

    def say(self, text: str, tone: Tone = Tone.PLAIN) -> None:
        """Have a text stand at the foot."""
        self._said = (text, tone)

    def take(self, typed: str, facts: Facts) -> Given | Detached | None:
        """What came of keys that were read together.

        Several at once are no keys but something pasted: outside of a question nothing comes of them.
        """
        if self._form is None:
            return self._key(typed, facts)
        if typed in _CANCEL:
            self._form = None
            self.say("nothing is done")
        elif typed.startswith("\x1b"):
            pass  # an arrow, or the like
        else:
            return self._write(typed)
        return None

    def _key(self, key: str, facts: Facts) -> Detached | None:
        if len(key) > 1:
            self.say("" if key.startswith("\x1b") else "one key at a time: see [?]")
        elif key == "d" and self._may_detach:
            return Detached()
        elif key == "d":
            self.say(
                "this process is the run: leave it by Ctrl-C, which stops it, or Ctrl-Z and `bg`; see [?]", Tone.CARE
            )
        elif key in _PAGES:
            self.subject = Subject.RUN if self.subject is _PAGES[key] else _PAGES[key]
        elif key in _CANCEL or key in {"q", " "}:
            self.subject = Subject.RUN
        elif key in _FORMS:
            self._form, self._answers, self._answer, self.subject = _FORMS[key](facts), {}, "", Subject.RUN
        return None

    def _write(self, typed: str) -> Given | None:
        for place, character in enumerate(typed):
            if character in _ENTER:
                # What is pasted after a line end was not meant as the answer to the next question.
                return self._entered() if place == len(typed) - 1 else None
            if character in _BACK:
                self._answer = self._answer[:-1]
            elif character in _CLEAR:
                self._answer = ""
            elif character.isprintable():
                self._answer = (self._answer + character)[:_LONGEST_ANSWER]
        return None

    def _entered(self) -> Given | None:
        form = self._form
        if form is None:
            return None
        self._answers[form.questions[len(self._answers)].name] = self._answer.strip()
        self._answer = ""
        made = form.made(self._answers)
        if isinstance(made, str):
            self._form = None
            self.say(made, Tone.CARE)
        elif len(self._answers) == len(form.questions):
            self._form = None
            self.say("")
            return Given(made, self._answers[_WHY])
        return None

    def foot(self, width: int) -> Foot:
        """Two lines: what is asked or was said last, and the keys."""
        return Foot((self._upper(width), self._keys()), _help(may_detach=self._may_detach), self.subject)

    def _upper(self, width: int) -> Line:
        text = self._charset.text
        if self._form is None:
            said, tone = self._said
            return line(Toned(f" {text(said)}" if said else "", tone))
        asked = f" {self._form.questions[len(self._answers)].text} "
        room = max(8, width - len(asked) - 2)
        return line(Toned(asked, Tone.CARE), text(self._answer)[-room:], Toned("_", Tone.STRONG))

    def _keys(self) -> Line:
        if not self._may_type:
            return line(Toned(" no keys here: standard input is no terminal. See runner --help", Tone.DIM))
        if self._form is not None:
            return line(Toned(" Enter: go on   Esc: do nothing   Ctrl-U: write it anew", Tone.DIM))
        if self.subject is not Subject.RUN:
            return line(Toned(" any of [f] [?] Esc: back", Tone.DIM))
        detach = " [d]etach" if self._may_detach else ""
        return line(Toned(f" [p]ause/continue [s]et [e]xclude [a]bort [f]ailed{detach} [?] help", Tone.DIM))


_ASK_WHY = _Question(_WHY, "why? (on record; may be empty)")


def _pause(facts: Facts) -> _Form:
    action = "continue" if facts.is_waiting_for_person else "pause"
    return _Form((_ASK_WHY._replace(text=f"{action}: {_ASK_WHY.text}"),), lambda _: Command(action))


def _set(_: Facts) -> _Form:
    return _Form((_Question("what", "set what? such as rate=5/s max_abnormal=10:"), _ASK_WHY), _settings)


def _settings(answers: Mapping[str, str]) -> Command | str:
    words = answers["what"].split()
    pairs = [word.partition("=") for word in words]
    if not words or not all(name and value for name, _, value in pairs):
        return f"{answers['what']!r}: expected NAME=VALUE, such as rate=5/s; nothing is done"
    return Command("set", settings={name: value for name, _, value in pairs})


def _exclude(_: Facts) -> _Form:
    asked = """exclude which? a server, or an expression such as labels.rack == "r07":"""
    return _Form((_Question("which", asked), _ASK_WHY), _excluded)


def _excluded(answers: Mapping[str, str]) -> Command | str:
    return Command("exclude", answers["which"]) if answers["which"] else "no servers are named; nothing is done"


def _abort(_: Facts) -> _Form:
    sure = _Question("sure", "abort? nothing new is sent, and it cannot be resumed. Type yes:")
    return _Form((sure, _ASK_WHY), _aborted)


def _aborted(answers: Mapping[str, str]) -> Command | str:
    return Command("abort") if answers["sure"] == "yes" else "not aborted: that is done by typing yes"


_FORMS: dict[str, Callable[[Facts], _Form]] = {"p": _pause, "s": _set, "e": _exclude, "a": _abort}
_PAGES = {"f": Subject.FAILED, "?": Subject.HELP}


def _help(*, may_detach: bool) -> Sequence[Line]:
    leave = (
        "d   leave: the run goes on"
        if may_detach
        else "    Ctrl-C stops the run: it can be resumed; a second one ends it at once"
    )
    texts = (
        " p   pause: nothing new is let in, what is at work is watched; or go on after a pause or a hold",
        " s   set: rate, concurrency, max_abnormal, max_unavailable, max_skipped, deadline",
        " e   exclude servers that were not started yet",
        " a   abort: nothing new is sent, and it cannot be resumed",
        " f   the servers that ended badly, or back",
        f" {leave}",
        "",
        " Each is a command of the shell, too, and is on record with who, when and why.",
        " Approving and rejecting a wave is for the shell alone: the picture shows the command.",
        " In another window: runner watch RUN. What each line means: docs/screen.md",
    )
    return [line(text) for text in texts]
