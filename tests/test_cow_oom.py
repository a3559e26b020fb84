"""fork's sharing and copying (R001), the end of memory, and allocations that fail (T-2): user/tests/cow.c, oom.c, allocfail.c.

Who dies for memory is compared line by line: the programs print EXPECT lines, the kernel its `oom:` lines.

Breaks that were tried: each was made in the kernel, and the case named behind it failed. In cow.c:

  a write always copies                     a_write_copies_one_page_and_the_last_sharer_none
  the neighbour is copied, too; the mark stays after an upgrade     a_write_copies_one_page_and_the_last_sharer_none
  M2: the count is not raised               panic: freed twice (everywhere: the shell does not start)
  M2: the count is not dropped at a copy    a_write_copies_one_page_and_the_last_sharer_none, around
  M2: ... or not at exit                    both_have_the_same_frames_read_only, around
  M2: counts are not atomic                 forks_beside_exits: panic, freed twice
  M2: counted after the child runs          panic: free and cannot be shared
  M2: dropped before the copy is made       two_tasks_write_every_page_at_once
  the COW mark on text and constants        text_is_shared_and_never_copied
  the kernel's own writes ignore the mark   the_kernel_breaks_sharing_before_it_writes
  the tracker is not copied, or its marks are not       blocks_are_copied_in_every_state
  M6: the parent stays writable             both_have_the_same_frames_read_only
  M6: the parent is not flushed             the_parent_writes_right_after_fork
  fork copies at once                       both_have_the_same_frames_read_only, a_thousand_pages_cost_few_frames
  M5: a buffer that is there is mapped anew the partners' calls fail. (A second fault for a page that is there never comes: the
                                            emulator does not keep what it may not do.)
  limit + 5 tasks; -ENOMEM at the limit; a fork that fails uses up a place          the_task_table_is_full
  a fork that fails keeps the address space, or the stack       frames_end, more_is_promised_than_a_second_task_could_have
  ... or gives back a promise it did not get; a child is promised nothing           the same

In oom.c:

  always the toucher; always the first of the list; the most pages, not the score   a_hog_goes_and_a_small_toucher_goes_on,
                                            a_tie_goes_to_the_toucher
  a tie goes to the other                   a_tie_goes_to_the_toucher
  init may be chosen                        init_is_never_chosen
  a kill although somebody's memory came free since the touch failed    several_touchers_at_once_kill_one_hog (not each time)
  the toucher ends, too                     a_hog_goes_and_a_small_toucher_goes_on
  the toucher does not wait for the end     the machine hangs
  a second line, and count, for one death   two_hogs_at_once
  the death is not counted                  a_hog_goes_and_a_small_toucher_goes_on
  another form of the line                  check_deaths()
  COW without a frame writes to the shared one          a_write_to_a_shared_page_without_a_frame
  promised pages wait for free ones, too    a_promise_is_kept
  the last frames are given without a promise           a_hog_goes_and_a_small_toucher_goes_on

In allocfail.c, calls_give_back_what_they_took found what is lost when an allocation fails in the middle: fork's descriptor
table, task, place in the table of tasks, address space and its object, kernel stack; a table page that is not looked at; one
end of a pipe, the pipe itself; exec's new address space, its path. create found a name that stayed behind. The failure that kills
somebody else than the toucher: touches_end_the_toucher.

Not seen: an empty table stays behind when there is no frame for its first page. It goes with the address space.
"""
import re

import pytest

from lib.arch import USER_BASE
from lib.images import BUILT, make_image
from lib.machine import batch
from lib.paths import programs
from test_tamalloc_stats import EVERYWHERE, Boots, faults

DEBUG_ONLY = pytest.mark.parametrize("cpus", [1, 4])
OOM_LINE = re.compile(r"oom: pid=(\d+) name=(\S{1,15}) score=(\d+) va=0x([0-9a-f]+) toucher=(\d+) -> killed")
EXPECT_LINE = re.compile(r"EXPECT victim=(\d+) toucher=(-?\d+) score=(-?\d+)\.\.(\d+) va=0x([0-9a-f]+)\.\.0x([0-9a-f]+)")


def check_deaths(text, name):
    """Each `oom:` line (T-4, to the letter) has its EXPECT line in the same case, and the other way round. How many."""
    deaths, expected, total = [], {}, 0
    for line in text.splitlines():
        if line.startswith("EXPECT "):
            victim, toucher, low, high, va, va_end = EXPECT_LINE.fullmatch(line).groups()
            assert victim not in expected, line
            expected[victim] = (int(toucher), int(low), int(high), int(va, 16), int(va_end, 16), line)
        elif "oom: pid" in line:
            death = OOM_LINE.fullmatch(line)
            assert death, f"not the form of an oom line: {line!r}"
            deaths.append((death, line))
        elif line.startswith(("ok ", "FAIL ", "TEST ")):
            for death, line in deaths:
                assert death[1] in expected, f"nobody expected: {line}\n{text[-3000:]}"
                toucher, low, high, va, va_end, wanted = expected.pop(death[1])
                assert death[2] == name, line
                assert toucher in (-1, int(death[5])), f"{wanted}\n{line}"
                assert low <= int(death[3]) <= high, f"{wanted}\n{line}"
                assert va <= int(death[4], 16) < va_end, f"{wanted}\n{line}"
            assert not expected, f"no oom line for {list(expected.values())}\n{text[-3000:]}"
            total += len(deaths)
            deaths = []
    assert not deaths and not expected
    return total


def cases(text):
    """The names of the cases that passed."""
    return set(re.findall(r"^ok (\w+)$", text, re.M))


# ---- fork

@pytest.fixture(scope="module")
def boots(image_with_small_log):
    return Boots(image_with_small_log, {"cow": "cow", "limit": "cow limit"}, append="maxtasks=100")


@pytest.fixture(scope="module")
def small_boots(image_with_small_log):
    return Boots(image_with_small_log, {"shortage": "cow shortage", "oom": "oom"}, mem="32M")


@EVERYWHERE
def test_cow(machine, boots):
    seen = faults(boots.text("cow", machine))
    stores = [va for access, va, _ in seen if access == "store"]        # R001-8: to text and to constants of the program
    assert len(stores) == 2 and all(USER_BASE <= va < USER_BASE + (1 << 20) for va in stores)
    swept = [access for access, va, _ in seen if 0xA10C0000 <= va < 0xA14C0000]             # blocks that are gone
    assert swept == ["load", "load"]


@EVERYWHERE
def test_fork_at_the_task_limit(machine, boots):
    """R001-11: -EAGAIN."""
    assert cases(boots.text("limit", machine)) == {"the_task_table_is_full"}


@EVERYWHERE
def test_fork_at_the_end_of_memory(machine, small_boots):
    """R001-11: -ENOMEM."""
    assert cases(small_boots.text("shortage", machine)) == {"more_is_promised_than_a_second_task_could_have", "frames_end"}


# ---- The end of memory. The machine goes on and ends as it should: batch() sees to that.

@EVERYWHERE
def test_oom(machine, small_boots):
    text = small_boots.text("oom", machine)
    assert check_deaths(text, "oom") % 34 == 0                  # so many in each of around's runs
    assert "fault:" not in text


@pytest.fixture(scope="module")
def image_with_oom_as_init(built, tmp_path_factory):
    bins = [name for name in programs("bin") if name != "init"]
    return make_image(tmp_path_factory.mktemp("init") / "disk.img", f"/bin/init={BUILT / 'tests' / 'oom'}", bins=bins)


@EVERYWHERE
def test_init_is_never_chosen(machine, image_with_oom_as_init):
    run = batch(None, image=image_with_oom_as_init, mem="32M", **machine)
    text = "\n".join(run.lines)
    assert "init_is_never_chosen" in cases(text), text[-2000:]
    assert run.has(r"^TEST oom: PASS \d+ checks$"), text[-2000:]
    assert check_deaths(text, "init") == 3                      # its children are called as it is


# ---- Allocations that fail

@DEBUG_ONLY
def test_each_allocation_fails_in_turn(cpus, image_with_small_log):
    """T-2, R001-11. How many steps a call has is the kernel's business; that there are any is checked by the program."""
    boots = Boots(image_with_small_log, {"allocfail": "allocfail"}, append="maxtasks=200")
    text = boots.text("allocfail", dict(cpus=cpus, debug=True))
    killed = sum(int(n) for n in re.findall(r"^INJECTED .*: \d+ failed, (\d+) killed, \d+ went on$", text, re.M))
    assert check_deaths(text, "allocfail") == killed >= 11      # 11 touches; each may need tables, too
    assert len(re.findall(r"^INJECTED ", text, re.M)) % 33 == 0


def test_release_kernels_know_no_failures(image_with_small_log):
    text = Boots(image_with_small_log, {"allocfail": "allocfail"}).text("allocfail", dict(cpus=2))
    assert cases(text) == {"release_kernels_refuse"}


# ---- The harness sees what it is for

GOOD = ("EXPECT victim=7 toucher=8 score=5..9 va=0x1000..0x2000\n"
        "oom: pid=7 name=oom score=9 va=0x1fff toucher=8 -> killed\nok case\n")


@pytest.mark.host
def test_a_death_that_was_expected():
    assert check_deaths(GOOD * 2, "oom") == 2
    assert check_deaths(GOOD.replace("toucher=8 score=5", "toucher=-1 score=5"), "oom") == 1


@pytest.mark.host
@pytest.mark.parametrize("old, new", [
    ("pid=7", "pid=1"), ("name=oom", "name=sh"), ("score=9", "score=10"), ("va=0x1fff", "va=0x2000"),
    ("toucher=8 ->", "toucher=9 ->"),
    (" -> killed", ""), ("oom: ", " oom: "), ("oom: pid=7 name=oom score=9 va=0x1fff toucher=8 -> killed\n", ""),
    ("EXPECT victim=7 toucher=8 score=5..9 va=0x1000..0x2000\n", ""), ("va=0x1fff", "va=1fff"),
    ("ok case\n", "oom: pid=8 name=oom score=1 va=0x1000 toucher=8 -> killed\nok case\n"), ("ok case\n", ""),
])
def test_a_death_that_is_not_as_expected(old, new):
    with pytest.raises(AssertionError):
        check_deaths(GOOD.replace(old, new), "oom")
