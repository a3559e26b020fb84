"""The shell: its language (scripts, one boot for all) and its terminal (keys typed at a real pseudo-terminal).

What a row of the screen shows is found out by a little terminal, Row, that knows just what the line editor may use.
"""
import random
import re

import pexpect
import pytest

from lib.machine import Boot, Machine, TimeOut, assert_clean, copy_image, without_newline_mapping
from lib.paths import ARCH, CPUS_MAX, IMAGE, PATIENCE, ROOT, kernel
from lib.scripts import Scripts

SCRIPTS = Scripts()
case = SCRIPTS.add

# ---- Lists and pipelines
case("semicolon", "echo a; echo b ;echo c", "a\nb\nc\n")
case("and_or", "true && echo yes; false && echo no; false || echo or; true || echo not", "yes\nor\n")
case("and_or_chain", "false && echo 1 || echo 2; true || echo 3 && echo 4", "2\n4\n")
case("and_or_over_lines", "true &&\n\n  echo next\necho x |\n  cat", "next\nx\n")
case("status_variable", "false; echo $?; true; echo $?; nosuch; echo $?", "1\n0\nsh: nosuch: not found\n127\n")
case("status_of_pipeline_is_the_last_ones", "false | true; echo $?; true | false; echo $?", "0\n1\n")
case("negation", "! true; echo $?; ! false; echo $?; ! false | true; echo $?", "1\n0\n1\n")
case("pipeline", "echo hello | cat | cat | wc -c", "6\n")
case("pipeline_of_compounds", "for i in 1 2 3; do echo $i; done | while read n; do echo got $n; done", "got 1\ngot 2\ngot 3\n")
case("reader_gone_ends_the_writer", "yes | head -n 2; echo $?", "y\ny\n0\n")
case("subshell", "(cd /bin; pwd); pwd; x=1; (x=2; echo $x); echo $x; (exit 7); echo $?", "/bin\n/play\n2\n1\n7\n")
case("group", "{ echo a; echo b; } | wc -l; { cd /; }; pwd", "2\n/\n")
case("background_and_wait", "sleep 0.2 && echo later > f & cat f; wait; cat f", "cat: f: No such file or directory\nlater\n")
case("background_reads_nothing", "cat & wait; echo done", "done\n")
case("script_ends_with_last_status", "echo x\nfalse", "x\n", 1)
case("exit_status", "echo x; exit 42; echo y", "x\n", 42)
case("exit_without_number_keeps_status", "false; exit", "", 1)
case("kill_status", "sh -c 'kill $$'; echo $?", "-1\n")
case("empty_lines_and_comments", "# comment\n\n   \n\t# another ; echo no\necho a # tail\necho b#c '#' \"#\"", "a\nb#c # #\n")
case("no_newline_at_the_end", "echo a\necho b", "a\nb\n")
case("carriage_returns", "echo a\r\necho b\r", "a\nb\n")

# ---- Redirections
case("output_and_input", "echo one > f; cat < f; echo two > f; cat f", "one\ntwo\n")
case("append", "echo one >> f; echo two >>f; cat f", "one\ntwo\n")
case("redirect_stderr", "cat nosuch 2> f; echo $?; cat f", "1\ncat: nosuch: No such file or directory\n")
case("stderr_to_stdout", "cat nosuch 2>&1 | wc -l; cat nosuch > f 2>&1; cat f", "1\ncat: nosuch: No such file or directory\n")
case("order_of_redirections_counts", "cat nosuch 2>&1 > f | wc -l; wc -c < f", "1\n0\n")
case("stdout_to_stderr", "{ echo oops >&2; } 2> f; cat f", "oops\n")
case("redirection_before_the_command", "> f echo x; < f cat", "x\n")
case("redirection_alone_makes_a_file", "> f; wc -c f", "0 f\n")
case("redirect_a_builtin", "pwd > f; cat f; cd /nosuch 2> g; cat g", "/play\nsh: cd: /nosuch: No such file or directory\n")
case("redirect_a_loop", "for i in a b; do echo $i; done > f; cat f; while read x; do echo =$x; done < f", "a\nb\n=a\n=b\n")
case("redirect_a_subshell", "(echo a; echo b) > f; wc -l < f", "2\n")
case("redirection_from_nothing", "cat < nosuch; echo $?", "sh: nosuch: No such file or directory\n1\n")
case("redirection_into_a_directory", "echo x > /bin; echo $?", "sh: /bin: Is a directory\n1\n")
case("redirection_into_no_directory", "echo x > no/such/f; echo $?", "sh: no/such/f: No such file or directory\n1\n")
case("redirection_to_bad_descriptor", "echo x >&9; echo $?", "sh: 9: Bad file descriptor\n1\n")
case("redirection_of_a_failed_command_truncates", "echo x > f; nosuch > f 2>/dev/null; wc -c < f", "0\n")
case("dev_null_and_zero", "echo x > /dev/null; cat /dev/null; head -n 0 /dev/zero; echo $?", "0\n")
case("target_is_expanded", "x=name; echo hi > $x.txt; cat name.txt", "hi\n")

# ---- Quotes, variables, patterns
case("single_quotes", "echo 'a  b' '$HOME \\ \"' '*'", "a  b $HOME \\ \" *\n")
case("double_quotes", "x='1  2'; echo \"a  $x\" \"\\$x \\\" \\\\ \\a *\"", "a  1  2 $x \" \\ \\a *\n")
case("quotes_inside_a_word", "echo a'b c'd\"e f\"g", "ab cde fg\n")
case("quotes_over_lines", "echo 'a\nb' \"c\nd\"", "a\nb c\nd\n")
case("empty_words", "sh -c 'echo $#' sh '' \"\" x", "3\n")
case("backslash", "echo a\\ \\ b \\$x \\\\ \\* \\;\\| con\\\ntinued", "a  b $x \\ * ;| continued\n")
case("operators_in_quotes", "echo 'a;b' \"c|d\" 'e&&f' '>' '#'", "a;b c|d e&&f > #\n")
case("variables", "a=1 b=two; echo $a$b ${a}x $nosuch. \"$nosuch\"; a=; echo [$a]", "1two 1x . \n[]\n")
case("assignment_keeps_blanks", "x='a  b'; y=$x; echo \"$y\"; echo $y", "a  b\na b\n")
case("unset", "x=1; unset x; echo [$x]", "[]\n")
case("dollar_alone", "echo $ a$ \"$\" $%", "$ a$ $ $%\n")
case("parameters", "echo $0 $# $1 \"$2\" $3 [$4]", "/cases/parameters 3 one two  words three []\n")
case("all_parameters", "for a in \"$@\"; do echo [$a]; done; for a in $*; do echo $a; done; echo \"$*\"",
     "[one]\n[two words]\n[three]\none\ntwo\nwords\nthree\none two  words three\n")
case("parameters_without_any", "set --; echo $#; for a in \"$@\"; do echo $a; done; sh -c 'echo $# $0'", "0\n0 sh\n")
case("shift", "shift; echo $1; shift; echo $# $1; shift; shift; echo $?", "two words\n1 three\n1\n")
case("for_without_in", "for a; do echo [$a]; done", "[one]\n[two words]\n[three]\n")
case("read", "echo 'a b  c d' | { read x y; echo \"$x|$y\"; }; read z < /dev/null; echo $?", "a|b  c d\n1\n")
case("star", "touch b a .hidden c.txt; echo *; echo *.txt; echo .h*; echo nosuch*; echo '*' \"*\"",
     "a b c.txt\nc.txt\n.hidden\nnosuch*\n* *\n")
case("question_mark_and_set", "touch a1 a2 b1 a10; echo a?; echo [ab]1; echo a[!1]; echo [a-b][0-9]; echo ??*",
     "a1 a2\na1 b1\na2\na1 a2 b1\na1 a10 a2 b1\n")
case("pattern_in_path", "mkdir d e; touch d/x e/x e/y; echo */x; echo /pla*/e/*", "d/x e/x\n/play/e/x /play/e/y\n")
case("pattern_from_a_variable", "touch a b; p='*'; echo $p; echo \"$p\"", "a b\n*\n")
case("pattern_is_quoted_in_part", "touch 'a*b' axb; echo a'*'*; echo a\\**", "a*b\na*b\n")
case("pattern_matches_names_with_blanks", "touch 'x y'; for f in *; do echo [$f]; cat \"$f\"; done", "[x y]\n")

# ---- Compounds
case("if_else", "if true; then echo 1; fi; if false; then echo 2; else echo 3; fi; if false; then :; fi; echo $?", "1\n3\n0\n")
case("elif", "for i in 1 2 3; do if test $i = 1; then echo one; elif test $i = 2; then echo two; else echo many; fi; done",
     "one\ntwo\nmany\n")
case("if_over_lines", "if\n  true\nthen\n  echo yes\n\n  # comment\nelse\n  echo no\nfi", "yes\n")
case("while_and_until", "x=; while test \"$x\" != aaa; do x=a$x; echo $x; done; until true; do echo never; done", "a\naa\naaa\n")
case("break_and_continue", "for i in 1 2 3 4; do if test $i = 2; then continue; fi; if test $i = 4; then break; fi; echo $i; done", "1\n3\n")
case("break_leaves_one_loop", "for i in 1 2; do for j in a b; do break; done; echo $i$j; done", "1a\n2a\n")
case("for_over_nothing", "for i in; do echo $i; done; echo $?", "0\n")
case("nested", "for i in 1 2; do if test $i = 1; then while true; do echo in; break; done; fi; done | cat", "in\n")
case("keywords_as_words", "echo if then done { }; echo for", "if then done { }\nfor\n")

# ---- Builtins, other shells
case("cd_and_pwd", "mkdir -p a/b; cd a/b; pwd; cd ..; pwd; cd; pwd; cd /bin/../tmp/.; pwd", "/play/a/b\n/play/a\n/\n/tmp\n")
case("cd_back", "cd /bin; cd /tmp; cd -; pwd; cd -; cd ~; pwd", "/bin\n/bin\n/tmp\n/\n")
case("help_names_what_is_built_in", "help | grep -c 'cd.*exit.*wait'; help | grep -c 'ls /bin'", "1\n1\n")
case("cd_errors", "cd nosuch; echo $?; cd /README; echo x > f; cd f; pwd",
     "sh: cd: nosuch: No such file or directory\n1\nsh: cd: /README: No such file or directory\n"
     "sh: cd: f: Not a directory\n/play\n")
case("dash_c", "sh -c 'echo $0 $1 $2' name a b; sh -c 'exit 9'; echo $?; sh -c ''; echo $?", "name a b\n9\n0\n")
case("dash_c_without_commands", "sh -c; echo $?", re.compile(r"usage: sh .*\n2\n"))
case("script_with_arguments", "echo 'echo $0: $1, $2' > s; sh s x 'y z'; ./s p q; /play/s", "s: x, y z\n./s: p, q\n/play/s: ,\n")
case("script_that_is_not_there", "sh nosuch; echo $?", "sh: nosuch: No such file or directory\n127\n")
case("commands_from_a_pipe", "echo 'echo a; echo b' | sh; echo 'exit 3' | sh; echo $?", "a\nb\n3\n")
case("source", "echo 'x=5; cd /tmp' > f; . ./f; echo $x; pwd", "5\n/tmp\n")
case("not_found", "nosuch; echo $?; ./nosuch; echo $?; no/such; echo $?; ''; echo $?",
     "sh: nosuch: not found\n127\nsh: ./nosuch: No such file or directory\n127\nsh: no/such: No such file or directory\n127\n"
     "sh: : not found\n127\n")
case("cannot_run", "/bin; echo $?; mkdir d; ./d; echo $?", re.compile(r"sh: /bin: .*\n126\nsh: \./d: .*\n126\n"))
case("a_program_with_bytes_that_are_no_program", "head -n 3 /bin/ls > f; ./f; echo $?", re.compile(r"sh: .*\n126\n"))

# ---- What is not a command
for name, text, near in [
        ("semicolon_alone", ";", ";"), ("two_semicolons", "echo a;; echo b", ";"), ("pipe_first", "| cat", "|"),
        ("pipe_last", "echo a |", "end of file"), ("and_last", "true &&", "end of file"), ("ampersand_first", "& echo", "&"),
        ("redirection_to_nowhere", "echo >", "newline"), ("redirection_to_operator", "echo > | cat", "|"),
        ("then_without_if", "then echo x", "then"), ("fi_alone", "fi", "fi"), ("done_alone", "done", "done"),
        ("if_without_then", "if true; echo x; fi", "fi"), ("unfinished_if", "if true; then echo x", "end of file"),
        ("unfinished_quote", "echo 'abc", "'"), ("unfinished_double_quote", "echo \"abc", "\""),
        ("unfinished_loop", "while true; do echo x", "end of file"), ("closing_parenthesis", "echo )", ")"),
        ("unfinished_subshell", "(echo a", "end of file"), ("for_without_name", "for ; do echo; done", ";")]:
    case("syntax_" + name, text, f"sh: syntax error near '{near}'\n", 2)
case("syntax_error_after_good_lines", "echo a\necho b )\necho c", "a\nsh: syntax error near ')'\n", 2)
case("deep_nesting_is_refused", "( " * 3000 + ")" * 3000, re.compile(r"sh: syntax error near '.*'\n"), 2)
case("long_line", "echo " + "x" * 4000 + " | wc -c", "4001\n")
case("many_words", "set -- " + "w " * 900 + "; echo $#", "900\n")


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    return SCRIPTS.run(tmp_path_factory.mktemp("scripts"), cpus=2)


@pytest.mark.parametrize("name", SCRIPTS.cases)
def test_language(name, outputs):
    SCRIPTS.check(outputs, name)


# ---- The terminal

class Row:
    """The row of an 80-column screen that the cursor is in, after `text` was printed."""

    def __init__(self, text):
        self.cells, self.column, self.bells = [], 0, 0
        for piece in re.findall(r"\x1b\[\d*;?\d*[A-Za-z]|[^\x1b]|\x1b", text.split("\n")[-1]):
            self.put(piece)

    def put(self, piece):
        if piece == "\r":
            self.column = 0
        elif piece == "\b":
            self.column = max(self.column - 1, 0)
        elif piece == "\a":
            self.bells += 1
        elif piece == "\x1b[K":
            del self.cells[self.column:]
        elif re.fullmatch(r"\x1b\[\d+C", piece):
            self.column = min(self.column + int(piece[2:-1]), 79)
        elif piece in ("\x1b[H", "\x1b[2J"):
            self.cells, self.column = [], 0
        else:
            assert piece.isprintable(), f"{piece!r} is not for a terminal"
            assert self.column < 80, "the row is longer than the screen"
            self.cells[len(self.cells):] = " " * (self.column - len(self.cells))
            self.cells[self.column:self.column + 1] = piece
            self.column += 1

    @property
    def text(self):
        return "".join(self.cells).rstrip()


LEFT, RIGHT, UP, DOWN = "\x1b[D", "\x1b[C", "\x1b[A", "\x1b[B"
HOME, END, DELETE, BACKSPACE = "\x1b[H", "\x1b[F", "\x1b[3~", "\x7f"
WORD_LEFT, WORD_RIGHT = "\x1b[1;5D", "\x1b[1;5C"


def ctrl(letter):
    return chr(ord(letter) & 0x1f)


class Terminal(Machine):
    def enter(self, keys):
        """Keys and Enter at the prompt: the row as it was at Enter, and what the command printed."""
        self.send(keys + "\r")
        row = Row("$ " + self.expect_exact("\r\n"))
        return row, self.expect(r"(?:^|(?<=\n))\$ ").replace("\r", "")

    def interrupt(self):
        """Ctrl-C, and then the prompt."""
        self.send(ctrl("C"))
        return self.expect_exact("^C\r\n") + self.expect_exact("$ ")

    def names(self):
        """Of all user programs there are."""
        return re.findall(r"^ *\d+ +\d+ +\w+ +\d+ +[\d.]+ +\d+ ([\w]+)$", self.ok("ps").replace("\r", ""), re.M)

    def names_left(self):
        """Of those that are there when all that were killed have ended: the shell waits for its own child, not for that one's, whose
        hart may still be on the way to its next tick. (The second sh: the guard of `ps; echo`.)"""
        for _ in range(10):
            if (names := sorted(self.names())) == ["init", "ps", "sh", "sh"]:
                break
            self.ok("sleep 1")
        return names


machines = []


@pytest.fixture(scope="module", autouse=True)
def end_of_machine():
    yield
    while machines:
        with machines.pop() as machine:
            machine.halt()


@pytest.fixture
def m():
    """A machine at its prompt: that of the test before, unless it is in no state to go on."""
    if machines:
        try:
            machines[0].send(ctrl("C") + "echo still @here@\r")
            machines[0].expect_exact("still @here@\r\n$ ", cap=20 * PATIENCE)
        except (AssertionError, OSError):
            machine = machines.pop()
            machine.child.close(force=True)
            machine.boot.clean_up()
    if not machines:
        machines.append(Terminal(cpus=2))
    machines[0].ok("cd /; rm -rf /tmp; mkdir /tmp")
    return machines[0]


@pytest.mark.parametrize("keys, line", [
    ("echo abc" + LEFT + LEFT + "X", "echo aXbc"),
    ("echo abc" + LEFT * 3 + RIGHT + "X", "echo aXbc"),
    ("cho abc" + ctrl("A") + "e", "echo abc"),
    ("cho abc" + HOME + "e" + END + "d", "echo abcd"),
    ("cho abc\x1b[1~e\x1b[4~d", "echo abcd"),
    ("cho abc\x1bOHe\x1bOFd", "echo abcd"),
    ("echo ac" + LEFT + "b" + ctrl("E") + "d", "echo abcd"),
    ("echo abXc" + LEFT + BACKSPACE, "echo abc"),
    ("echo abcX" + BACKSPACE, "echo abc"),
    ("echo abcX" + ctrl("H"), "echo abc"),
    ("echo Xabc" + LEFT * 4 + DELETE, "echo abc"),
    ("echo Xabc" + LEFT * 4 + ctrl("D"), "echo abc"),
    ("rubbish" + ctrl("U") + "echo abc", "echo abc"),
    ("rubbish echo abc" + LEFT * 8 + ctrl("U"), "echo abc"),
    ("echo abc rubbish" + LEFT * 8 + ctrl("K"), "echo abc"),
    ("echo rubbish" + ctrl("W") + "abc", "echo abc"),
    ("echo two words  " + ctrl("W") + ctrl("W") + "abc", "echo abc"),
    ("echo one three" + WORD_LEFT + "two ", "echo one two three"),
    ("echo a c" + HOME + WORD_RIGHT + WORD_RIGHT + "b", "echo ab c"),
    (LEFT + BACKSPACE + DELETE + RIGHT + ctrl("W") + ctrl("U") + ctrl("K") + "echo abc" + RIGHT + DELETE, "echo abc"),
    ("echo \x1b[5~\x1b[15~\x1bx\x01\x05abc", "echo abc"),
    ("echo señor año" + LEFT * 4 + BACKSPACE * 2 + "Ñ", "echo señÑ año"),
    ("echo a" + ctrl("B") + "b" + ctrl("F") + "c", "echo bac"),
])
def test_editing_keys(m, keys, line):
    row, output = m.enter(keys)
    assert row.text == "$ " + line
    assert output == line[5:] + "\n"


def test_cursor_is_where_the_next_key_goes(m):
    m.send("echo abcdef" + LEFT * 3)
    shown = m.expect_exact("\x1b[10C")             # the third LEFT: behind the prompt and "echo abc"
    row = Row("$ " + shown + "\x1b[10C")
    assert (row.text, row.column) == ("$ echo abcdef", 10)
    assert m.enter("")[1] == "abcdef\n"


def test_clear_screen_keeps_the_line(m):
    row, output = m.enter("echo abc" + LEFT + ctrl("L") + "X")
    assert (row.text, output) == ("$ echo abXc", "abXc\n")


def test_long_lines_scroll_in_one_row(m):
    words = " ".join(f"word{n}" for n in range(60))
    row, output = m.enter("echo " + words)
    assert row.text.endswith("word58 word59") and len(row.text) <= 79
    assert output == words + "\n"
    row, output = m.enter("cho " + words + HOME + "e" + ctrl("E") + "!" + LEFT * 200 + RIGHT * 30 + "+" + END + "X"
                          + BACKSPACE)
    assert row.text.startswith("$ ") and row.text.endswith("word59!")
    assert sorted(output) == sorted(words + "!+\n")
    row, output = m.enter("echo " + words + HOME)
    assert row.text.startswith("$ echo word0 ") and row.column == 2


def test_very_long_line(m):
    text = "x" * 3000
    assert m.enter("echo " + text + HOME + RIGHT * 5 + "y")[1] == "y" + text + "\n"


def test_history(m):
    for word in ("one", "two", "two", "three"):
        m.enter("echo " + word)
    assert m.enter(UP)[1] == "three\n"
    assert m.enter(UP + UP)[1] == "two\n"               # equal neighbours are kept once
    m.enter("echo four")
    row, output = m.enter("echo half" + UP + UP + DOWN + DOWN + "way")
    assert (row.text, output) == ("$ echo halfway", "halfway\n")
    assert m.enter(UP + UP + BACKSPACE * 4 + "edited")[1] == "edited\n"
    assert m.enter(UP + UP + UP)[1] == "four\n"         # the old line itself was not changed
    m.enter("   ")
    assert m.enter(ctrl("P"))[1] == "four\n"
    assert m.enter(UP * 600 + DOWN * 600 + "echo end")[1] == "end\n"


def test_history_has_a_whole_loop_line_by_line(m):
    m.send("for i in 1 2\r")
    m.expect_exact("> ")
    m.send("do echo $i; done\r")
    assert m.expect(r"(?<=\n)\$ ").replace("\r", "").endswith("1\n2\n")
    row, _ = m.enter(UP + UP + ctrl("U") + "true")
    assert row.text == "$ true"


def test_quotes_go_on_in_the_next_line(m):
    m.send("echo 'a\r")
    m.expect_exact("> ")
    assert m.enter("b'")[1] == "a\nb\n"
    m.send("echo a | \r")
    m.expect_exact("> ")
    assert m.enter("cat")[1] == "a\n"
    m.send("echo 'a\r")
    m.expect_exact("> ")
    m.interrupt()                                       # and nothing of it is left
    assert m.enter("echo b")[1] == "b\n"


def test_tab_completes_a_command(m):
    assert m.enter("rea\tlink")[0].text == "$ readlink"     # read, readlink: what is common
    assert m.enter("hexd\t/dev/null; echo $?")[1] == "0\n"
    assert m.enter("true; hexd\t/dev/null; echo $?")[1] == "0\n"
    assert m.enter("echo a | hexd\t| wc -l")[1] == "2\n"


def test_tab_completes_files(m):
    m.ok("cd /tmp; mkdir folder; echo text > folder/file.txt; echo x > other")
    row, output = m.enter("cat fo\tfi\t")
    assert (row.text, output) == ("$ cat folder/file.txt", "text\n")
    assert m.enter("cat /tmp/fol\tfi\t")[1] == "text\n"
    assert m.enter("cat<oth\t")[1] == "x\n"
    assert m.enter("ls -d fold\t")[1] == "folder/\n"
    assert m.enter("cat oth" + LEFT + "\t")[0].bells == 0
    row, _ = m.enter("echo nosuch\t")
    assert (row.text, row.bells) == ("$ echo nosuch", 1)


def test_tab_completes_in_the_middle(m):
    m.ok("cd /tmp; echo text > file.txt")
    assert m.enter("cat fi.txt" + LEFT * 4 + "\t" + BACKSPACE * 5)[1] == "text\n"


def test_second_tab_lists(m):
    m.ok("cd /tmp; mkdir d; touch d/alpha1 d/alpha2 d/beta; mkdir d/alphabet")
    m.send("ls d/al\t\t")
    m.expect_exact("\r\n")
    assert m.expect_exact("\r\n").split() == ["alpha1", "alpha2", "alphabet/"]      # not "d/alpha1"
    row, output = m.enter("2")
    assert (row.text[-15:], output) == ("$ ls d/alpha2"[-15:], "d/alpha2\n")


def test_listing_of_all_commands_fits_the_screen(m):
    m.send("\t\t")
    m.expect_exact("\r\n")
    lines = m.expect_exact("\r\n\r").split("\r\n")
    assert {"ls", "cat", "cd", "wc"} <= set(" ".join(lines).split())
    assert len(lines) > 3 and all(Row(line).text for line in lines)
    assert m.enter("echo a")[1] == "a\n"


def test_tab_with_a_blank_in_the_name(m):
    m.ok("cd /tmp; echo text > 'my file'")
    assert m.enter("cat my\t")[1] == "text\n"


def test_ctrl_c_at_the_prompt_drops_the_line(m):
    m.send("echo never")
    m.interrupt()
    assert m.enter("echo $?")[1] == "130\n"
    assert m.enter(UP + " again")[0].text == "$ echo $? again"     # a dropped line is not in the history


def test_ctrl_c_ends_the_foreground_program(m):
    m.send("cat\r")
    m.expect_exact("\r\n")
    m.send("hello\r")
    m.expect_exact("hello\r\nhello\r\n")
    m.interrupt()
    assert m.enter("echo $?")[1] == "-1\n"
    assert "cat" not in m.names_left()


def test_ctrl_c_ends_a_program_that_never_waits(m):
    m.send("yes\r")
    m.expect_exact("y\r\ny\r\ny\r\n")
    m.interrupt()
    assert "yes" not in m.names_left()


def test_ctrl_c_ends_the_whole_pipeline_and_nothing_else(m):
    m.send("sleep 1000 &\r")
    m.expect(r"\[(\d+)\]\r\n\$ ")
    pid = m.child.match.group(1)
    m.send("cat | cat | sh -c 'cat; true' | (cat; true)\r")
    m.expect_exact("\r\n")
    m.send("hello\r")
    m.expect_exact("hello\r\nhello\r\n")
    m.interrupt()
    assert sorted(m.names()) == ["init", "ps", "sh", "sh", "sleep"]        # the second sh: the guard of `ps; echo`
    m.send(f"kill {pid}\r")
    m.expect_exact("$ ")
    m.send("true\r")
    if f"[{pid}] done" not in m.expect_exact("$ "):
        m.enter("wait")
    assert "sleep" not in m.names_left()


def test_ctrl_c_ends_a_script_with_its_children(m):
    m.ok("echo 'echo started; sleep 1000; echo never' > /tmp/s")
    m.type("sh /tmp/s")
    m.expect_exact("started\r\n")
    assert "never" not in m.interrupt()
    assert m.names_left() == ["init", "ps", "sh", "sh"]


@pytest.mark.parametrize("line, started", [
    ("echo started; sleep 1000; echo never", "started"),
    ("echo started && sleep 1000 || echo never", "started"),
    ("while true; do echo started; done", "started\r\nstarted"),
    ("while :; do pwd; done", "/\r\n/\r\n/\r\n"),               # nothing but builtins
    ("for i in 1 2; do echo started; sleep 1000; done; echo never", "started"),
    ("if echo started; then sleep 1000; fi; echo never", "started"),
    ("until echo started && sleep 1000; do echo never; done", "started"),
    ("{ echo started; sleep 1000; echo never; }", "started"),
    ("(echo started; sleep 1000; echo never); echo never", "started"),
    ("sh -c 'echo started; sleep 1000'; echo never", "started"),
    ("sleep 1000 & echo started; wait; echo never", "started"),
    ("echo started; wait; sleep 1000 | cat; echo never", "started"),
], ids=lambda text: "".join(c if c.isalnum() else "_" for c in text)[:40])
def test_ctrl_c_ends_the_rest_of_the_line(m, line, started):
    m.type(line)
    m.expect_exact(started)
    assert "never" not in m.interrupt()
    assert m.enter("echo fine")[1].splitlines()[-1] == "fine"
    if " & " in line:
        m.enter("kill $!")
        m.enter("wait")
    assert m.names_left() == ["init", "ps", "sh", "sh"]


def test_a_killed_or_faulting_program_does_not_end_the_line(m):
    assert m.ok("sh -c 'kill $$'; echo status $?; echo next") == "status -1\nnext\n"
    text = m.ok("for i in 1 2; do sh -c 'kill $$'; echo $i; done")
    assert text == "1\n2\n"


def test_ctrl_c_while_the_builtin_read_waits(m):
    m.type("read x; echo never")
    m.send(LEFT)
    m.expect_exact("\x1b[K")                            # the line editor answers: it reads now
    assert "never" not in m.interrupt()
    m.type("read x")
    assert m.enter("some  words" + LEFT * 5 + "b")[0].text.endswith("some  bwords")
    assert m.ok("echo \"[$x]\"") == "[some  bwords]\n"


@pytest.mark.parametrize("seed", range(3))
def test_ctrl_c_storm(m, seed):
    """Ctrl-C at any moment: it is always the same shell that answers."""
    shell = m.ok("echo $$")
    chance = random.Random(seed)
    commands = ["true\r", "true | true\r", "true; true\r", "sh -c true\r", "while :; do :; done\r", "pwd\r", "(true)\r",
                "for i in 1 2 3; do true; done\r", "true &\r", "wait\r", "nosuch\r", "cat\r", "read x\r", "echo 'a\r"]
    for _ in range(150):
        m.send(chance.choice(commands) + ctrl("C") * chance.randint(0, 3))
        if chance.random() < 0.5:
            m.child.expect([r"\$ ", r"\^C", pexpect.TIMEOUT], timeout=chance.random() * 0.05)
    for attempt in range(60):
        m.send(ctrl("C") + f"\recho @{attempt}@$$@\r")
        if m.child.expect([rf"@{attempt}@(\d+)@\r\n\$ ", pexpect.TIMEOUT], timeout=2 * PATIENCE) == 0:
            break
    assert m.child.match.group(1) + "\n" == shell
    m.ok("wait")
    assert m.names_left() == ["init", "ps", "sh", "sh"]


def test_ctrl_d_ends_input_and_deletes(m):
    m.type("wc")
    m.send("one line\r")
    m.expect_exact("one line\r\n")
    m.send(ctrl("D"))
    assert m.expect_exact("$ ").replace("\r", "") == "1 2 9\n"
    m.type("cat | wc -c")
    m.send("abc" + ctrl("D") + ctrl("D"))
    assert m.expect_exact("$ ").replace("\r", "").endswith("3\n")


def test_ctrl_d_ends_a_shell_and_init_starts_another(m):
    first = m.ok("echo $$")
    m.type("sh")
    m.expect_exact("$ ")
    assert m.ok("echo $$") != first
    m.send(ctrl("D"))
    m.expect_exact("\r\n$ ")
    assert m.ok("echo $$") == first
    m.send(ctrl("D"))
    m.expect_exact("\r\n$ ")
    assert m.ok("echo $$") != first
    m.type("exit 3")
    m.expect_exact("$ ")


def test_ctrl_c_in_a_shell_in_a_shell(m):
    first = m.ok("echo $$")
    m.type("sh; echo after")
    m.expect_exact("$ ")
    m.type("cat | cat")
    m.send("hello\r")
    m.expect_exact("hello\r\nhello\r\n")
    m.interrupt()
    assert m.ok("echo $$") != first
    m.type("exit")
    assert m.expect_exact("$ ").replace("\r", "") == "after\n"
    assert m.ok("echo $$") == first


def test_background_jobs(m):
    m.send("sh -c 'exit 5' &\r")
    m.expect(r"\[(\d+)\]\r\n")
    pid = m.child.match.group(1)
    text = m.expect_exact("$ ")
    while f"[{pid}] done" not in text:
        m.send("true\r")
        text = m.expect_exact("$ ")
    assert f"[{pid}] done, status 5\r\n" in text
    m.send("sleep 0.3 & sleep 0.1 &\r")
    m.expect(r"\[(\d+)\]\r\n\[(\d+)\]\r\n")
    two = m.child.match.groups()
    m.expect_exact("$ ")
    m.enter("wait")
    assert all(f"[{pid}] done" in m.log for pid in two)


def test_typing_ahead_is_kept(m):
    """What is typed while a program runs that does not read belongs to the next prompt."""
    m.type("sh -c 'echo started; sleep 0.5'")
    m.expect_exact("started\r\n")
    m.send("echo ahead\r")
    m.expect_exact("\nahead\r\n$ ")


def test_input_after_enter_belongs_to_the_program(m):
    m.send("cat\rfor cat\r\x04echo for sh\r")
    m.expect_exact("for cat\r\n")
    m.expect_exact("\nfor sh\r\n$ ")


def test_huge_output_is_complete(m):
    lines = m.ok("seq 20000").split("\n")
    assert lines[0] == "1" and lines[19999] == "20000" and len(lines) == 20001


# ---- Without the harness in between

def test_keys_under_tools_run(folder):
    """As `make qemu` starts it: Ctrl-A is the shell's, Ctrl-O X ends the emulator. Nothing that comes before the kernel changes the
    terminal: no reset, and lines still wrap."""
    image = copy_image(IMAGE, folder / "disk.img")
    child = pexpect.spawn(str(ROOT / "tools/run"), ["--arch", ARCH, "--kernel", str(kernel()), "--disk", str(image), "--cpus", str(min(2, CPUS_MAX))],
                          timeout=120 * PATIENCE, encoding="utf-8", echo=False, dimensions=(24, 80),
                          preexec_fn=without_newline_mapping)
    try:
        child.expect_exact("\n$ ")
        assert "\x1bc" not in child.before and "\x1b[?7l" not in child.before, child.before
        child.send("cho abc" + ctrl("A") + "e\r")
        child.expect_exact("\nabc\r\n$ ")
        child.send("cat\r")
        child.send("x\r")
        child.expect_exact("x\r\nx\r\n")
        child.send(ctrl("C"))
        child.expect_exact("^C\r\n$ ")
        child.send("sync\r")
        child.expect_exact("$ ")
        child.send(ctrl("O") + "x")
        child.expect(pexpect.EOF)
    finally:
        child.close(force=True)
    assert_clean(image)


def test_boot_line_commands_and_then_a_shell():
    with Terminal(cpus=1, append='run="echo first; cd /bin; pwd"') as machine:
        assert "first\r\n/bin\r\n" in machine.log
        assert machine.ok("pwd") == "/\n"
        machine.halt()


def test_ctrl_c_ends_boot_line_commands_only():
    with Terminal(cpus=1, append='run="echo started; sleep 1000; echo never"', wait=False) as machine:
        machine.expect_exact("started\r\n")
        assert "never" not in machine.interrupt()
        assert machine.ok("echo fine") == "fine\n"
        machine.halt()


# ---- The little terminal itself

def test_row_sees_what_a_terminal_shows():
    row = Row("$ abc\r$ axc\x1b[K\r\x1b[3C")
    assert (row.text, row.column) == ("$ axc", 3)
    with pytest.raises(AssertionError, match="longer than the screen"):
        Row("x" * 81)
    with pytest.raises(AssertionError, match="not for a terminal"):
        Row("\x01")
