"""The programs of user/bin, as a user of Unix expects them: output, messages, statuses; and programs from elsewhere."""
import re
import shutil

import pytest

from lib.machine import Machine, batch
from lib.paths import CPUS_MAX, ON_RISCV, flavour, make, programs
from lib.scripts import Scripts, make_image

SCRIPTS = Scripts()
case = SCRIPTS.add
ULONG_MAX = 2 ** (64 if ON_RISCV else 32) - 1
NOT_THERE = "No such file or directory"


def usage(program, arguments=".*"):
    return re.compile(rf"(?:{program}: .*\n)?usage: {program}{arguments}\n2\n")


# ---- Text
case("echo", "echo; echo a  b; echo -n x; echo y; echo -n; echo -e", "\na b\nxy\n-e\n")
case("cat", "echo 1 > a; echo 2 > b; cat a b; echo 3 | cat a - b; cat < b; cat ''; echo $?",
     f"1\n2\n1\n3\n2\n2\ncat: : {NOT_THERE}\n1\n")
case("cat_errors", "echo 1 > a; cat nosuch a /bin; echo $?; cat -z; echo $?",
     re.compile(rf"cat: nosuch: {NOT_THERE}\n1\ncat: /bin: Is a directory\n1\ncat: invalid option -- 'z'\nusage: cat.*\n2\n"))
case("cat_keeps_every_byte", "cat /bin/ls > a; cat < a | cat > b; cmp=0; hexdump a > x; hexdump b > y; wc -c < x > m; "
     "wc -c < y > n; grep -q . m && read p < m && read q < n && test $p = $q && echo same", "same\n")
case("head_and_tail", "seq 30 > f; head -n 2 f; tail -n 2 f; head -2 f; tail -1 f; head f | wc -l; tail f | head -n 1; "
     "seq 3 | tail -n 10; head -n 0 f; tail -n 0 f", "1\n2\n29\n30\n1\n2\n30\n10\n21\n1\n2\n3\n")
case("head_and_tail_titles", "echo 1 > a; echo 2 > b; head a b; tail a b", "==> a <==\n1\n\n==> b <==\n2\n" * 2)
case("head_and_tail_errors", "head nosuch; echo $?; tail nosuch; echo $?; head -n x /dev/null; echo $?; tail -n; echo $?",
     re.compile(rf"head: nosuch: {NOT_THERE}\n1\ntail: nosuch: {NOT_THERE}\n1\nhead: invalid number: x\n2\n"
                r"tail: option requires an argument -- 'n'\nusage: tail.*\n2\n"))
case("tail_without_last_newline", "echo -n abc | tail; echo; echo -n abc | head; echo", "abc\nabc\n")
case("wc", "echo a b > f; echo c >> f; wc f; wc -l f; wc -w < f; wc -c f; wc f f; wc /dev/null",
     "2 3 6 f\n2 f\n3\n6 f\n2 3 6 f\n2 3 6 f\n4 6 12 total\n0 0 0 /dev/null\n")
case("wc_errors", "wc nosuch; echo $?; wc -x; echo $?",
     re.compile(rf"wc: nosuch: {NOT_THERE}\n1\nwc: invalid option -- 'x'\nusage: wc.*\n2\n"))
case("grep", "echo 'one\nTwo\nthree' > f; grep o f; grep -i t f; grep -v o f; grep -n e f; grep -c e f; grep ^t f; grep 'e$' f; "
     "grep 't.*e' f; grep '[A-Z]' f; grep 'o\\.' f; echo $?",
     "one\nTwo\nTwo\nthree\nthree\n1:one\n3:three\n2\nthree\none\nthree\nthree\nTwo\n1\n")
case("grep_files", "mkdir d; echo x > d/a; echo y > d/b; grep x d/a d/b; grep -l y d/a d/b; grep -r y d; grep x d; echo $?; "
     "grep -q x d/a; echo $?; cat d/a | grep x", "d/a:x\nd/b\nd/b:y\ngrep: d: Is a directory\n2\n0\nx\n")
case("grep_errors", "grep x nosuch; echo $?; grep; echo $?", re.compile(rf"grep: nosuch: {NOT_THERE}\n2\nusage: grep.*\n2\n"))
case("hexdump", "echo -n 0123456789abcdefX > f; hexdump f; head -n 0 f | hexdump; hexdump nosuch; echo $?",
     "00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|\n"
     + "00000010  58".ljust(60) + "|X|\n00000011\n" + f"hexdump: nosuch: {NOT_THERE}\n1\n")
case("seq", "seq 3; seq 2 3; seq 3 -2 0; seq 5 1; seq 0; seq x; echo $?; seq; echo $?; seq 1 0 2; echo $?",
     re.compile(r"1\n2\n3\n2\n3\n3\n1\nseq: invalid number: x\n2\nusage: seq.*\n2\nseq: .*\n2\n"))
case("yes", "yes | head -n 1; yes a b | head -n 2", "y\na b\na b\n")

# ---- Files
case("ls", "mkdir d; touch b a d/x .h; ls; ls -a; ls d; ls -d d; ls b a; ls d b; ls -1 a; cd d; ls ..",
     "a\nb\nd\n.\n..\n.h\na\nb\nd\nx\nd\nb\na\nb\n\nd:\nx\na\na\nb\nd\n")
case("ls_long", "echo abc > f; ln f g; ln -s f l; mkdir d; ls -l; ls -l /dev/null; ls -i f | wc -w",
     re.compile(r"d +2 +\d+ [\d-]{10} [\d:]{5} d\n- +2 +4 [\d-]{10} [\d:]{5} f\n- +2 +4 [\d-]{10} [\d:]{5} g\n"
                r"l +1 +\d+ [\d-]{10} [\d:]{5} l -> f\nc +1 +2, 0 [\d-]{10} [\d:]{5} /dev/null\n2\n"))
case("ls_recursive", "mkdir -p a/b; touch a/f a/b/g; ls -R a", "a:\nb\nf\n\na/b:\ng\n")
case("ls_errors", "ls nosuch; echo $?; touch f; ls nosuch f; echo $?; ls -z; echo $?",
     re.compile(rf"ls: cannot access 'nosuch': {NOT_THERE}\n\d\nls: cannot access 'nosuch': {NOT_THERE}\nf\n\d\n"
                r"ls: invalid option -- 'z'\nusage: ls.*\n2\n"))
case("mkdir_and_rmdir", "mkdir a b; mkdir -p a/x/y a; ls a; rmdir b; rmdir a/x/y a/x a; ls", "x\n")
case("mkdir_errors", "mkdir a; mkdir a; echo $?; mkdir no/such; echo $?; touch f; mkdir f/x; echo $?; mkdir; echo $?; "
     "mkdir -p f; echo $?",
     re.compile(r"mkdir: cannot create directory 'a': File exists\n1\n"
                rf"mkdir: cannot create directory 'no/such': {NOT_THERE}\n1\n"
                r"mkdir: cannot create directory 'f/x': Not a directory\n1\nusage: mkdir.*\n2\n"
                r"mkdir: cannot create directory 'f': File exists\n1\n"))
case("rmdir_errors", "mkdir a; touch a/f f; rmdir a; echo $?; rmdir f; echo $?; rmdir nosuch; echo $?; rmdir; echo $?",
     re.compile(r"rmdir: failed to remove 'a': Directory not empty\n1\nrmdir: failed to remove 'f': Not a directory\n1\n"
                rf"rmdir: failed to remove 'nosuch': {NOT_THERE}\n1\nusage: rmdir.*\n2\n"))
case("rm", "touch a b; mkdir d; touch d/x; ln -s d l; rm a; rm l; ls; rm -r d b; ls; rm -f nosuch; echo $?", "b\nd\n0\n")
case("rm_errors", "mkdir d; rm nosuch; echo $?; rm d; echo $?; rm; echo $?; rm -rf .; echo $?; ls",
     re.compile(rf"rm: cannot remove 'nosuch': {NOT_THERE}\n1\nrm: cannot remove 'd': Is a directory\n1\nusage: rm.*\n2\n"
                r"rm: refusing to remove .*\n1\nd\n"))
case("ln", "echo x > f; ln f g; ln -s f s; cat g s; rm f; cat g; cat s; echo $?; readlink s; mkdir d; ln g d; cat d/g; ln -sf g s; cat s",
     f"x\nx\nx\ncat: s: {NOT_THERE}\n1\nf\nx\nx\n")
case("ln_errors", "touch f; ln nosuch x; echo $?; ln f f; echo $?; mkdir d; ln d e; echo $?; ln f; echo $?",
     re.compile(rf"ln: .*: {NOT_THERE}\n1\nln: .*: File exists\n1\nln: .*: Operation not permitted\n1\nusage: ln.*\n2\n"))
case("readlink", "ln -s a/b l; readlink l; touch f; readlink f; echo $?; readlink nosuch; echo $?",
     f"a/b\nreadlink: f: Invalid argument\n1\nreadlink: nosuch: {NOT_THERE}\n1\n")
case("link_loop", "ln -s a b; ln -s b a; cat a; echo $?", "cat: a: Too many levels of symbolic links\n1\n")
case("mv", "echo x > f; mv f g; cat g; mkdir d; mv g d; cat d/g; mv d e; ls; echo y > h; mv h e/g; cat e/g; touch p q; mv p q e; ls e",
     "x\nx\ne\ny\ng\np\nq\n")
case("mv_errors", "mv nosuch x; echo $?; mkdir -p d/e; mv d d/e; echo $?; touch f g; mv f g nosuch; echo $?; mv f; echo $?; "
     "mkdir -p t/d; mv d t; echo $?",
     re.compile(rf"mv: .*'nosuch'.*: {NOT_THERE}\n1\nmv: .*: Invalid argument\n1\nmv: .*nosuch.*\n1\nusage: mv.*\n2\n0\n"))
case("cp", "echo x > f; cp f g; cat g; echo longer > f; cp f g; cat g; mkdir d; cp f g d; ls d; cp -r d e; ls e; cp -r d e; ls e; cp /dev/null g; wc -c g",
     "x\nlonger\nf\ng\nf\ng\nd\nf\ng\n0 g\n")
case("cp_errors", "cp nosuch x; echo $?; mkdir d; cp d e; echo $?; touch f; cp f f; echo $?; cp f; echo $?; cp -r d d; echo $?; cp f no/such; echo $?",
     re.compile(rf"cp: .*nosuch.*: {NOT_THERE}\n1\ncp: -r not specified; omitting directory 'd'\n1\n"
                rf"cp: 'f' and 'f' are the same file\n1\nusage: cp.*\n2\n(?:cp: .*\n1|0)\ncp: .*no/such.*: {NOT_THERE}\n1\n"))
case("touch", "touch a b; ls; echo x > a; touch a; cat a; touch no/such; echo $?; touch; echo $?",
     re.compile(rf"a\nb\nx\ntouch: cannot touch 'no/such': {NOT_THERE}\n1\nusage: touch.*\n2\n"))
case("stat", "echo abc > f; stat f; stat nosuch; echo $?; stat . | grep -c directory; stat; echo $?",
     re.compile(r"  File: f\n  Size: 4 .*regular file\n Inode: \d+ +Links: 1\nModify: \d{4}-.* UTC\n"
                rf"stat: cannot stat 'nosuch': {NOT_THERE}\n1\n1\nusage: stat.*\n2\n"))
case("df", "df | wc -l; df / | tail -n 1 | grep -c /; df nosuch 2>&1 | grep -c nosuch; df > f; head -n 1 f | wc -w",
     "2\n1\n1\n7\n")
case("df_sees_what_is_written", "df | tail -1 > a; read k u f rest < a; cat /bin/ls /bin/sh /bin/stress > big; sync; "
     "df | tail -1 > a; read k v g rest < a; test $v -gt $u && test $g -lt $f && echo less free; rm big; sync; "
     "df | tail -1 > a; read k w h rest < a; test $w -le $v && echo given back", "less free\ngiven back\n")
case("sync", "sync; echo $?; sync x; echo $?", re.compile(r"0\nusage: sync.*\n2\n"))
case("long_names", "n=0123456789012345678901234567890123456789012345678901234567; touch ${n}x; ls; touch ${n}xy; echo $?",
     re.compile(r"0123\d+x\ntouch: cannot touch '0123.*': File name too long\n1\n"))
case("file_removed_while_open", "echo x > f; { rm f; cat; } < f; ls", "x\n")

# ---- Conditions
case("true_and_false", "true; echo $?; false; echo $?; true x; echo $?", "0\n1\n0\n")
case("test_files", "touch e; echo x > f; mkdir d; ln -s f l; for t in '-e f' '-e no' '-f f' '-f d' '-d d' '-d f' '-L l' '-L f' '-s f' '-s e'; "
     "do test $t; echo $t $?; done", "-e f 0\n-e no 1\n-f f 0\n-f d 1\n-d d 0\n-d f 1\n-L l 0\n-L f 1\n-s f 0\n-s e 1\n")
case("test_words", "test; echo $?; test x; echo $?; test ''; echo $?; test -n ''; echo $?; test -z ''; echo $?; test a = a; echo $?; "
     "test a != a; echo $?; test ! a; echo $?", "1\n0\n1\n1\n0\n0\n1\n1\n")
case("test_numbers", "for t in '1 -eq 1' '1 -ne 1' '2 -gt 10' '2 -lt 10' '-3 -le -3' '5 -ge 6'; do test $t; echo $?; done",
     "0\n1\n1\n0\n0\n1\n")
case("test_combined", "test 1 = 1 -a 2 = 3; echo $?; test 1 = 2 -o 2 = 2; echo $?; test ! '(' a = b ')'; echo $?", "1\n0\n0\n")
case("test_errors", "test 1 -eq x; echo $?; test a b; echo $?; test -f a b; echo $?", re.compile(r"test: x: .*\n2\ntest: .*\n2\ntest: .*\n2\n"))
case("bracket", "[ a = a ]; echo $?; [ a = b ]; echo $?; if [ -d /bin ]; then echo dir; fi; [ a = a; echo $?",
     re.compile(r"0\n1\ndir\n\[: .*\n2\n"))

# ---- The machine
case("ps", "ps | head -n 1; ps | grep -c ' init$'; ps | grep -c ' ps$'; ps x; echo $?",
     re.compile(r" +PID +PPID STATE +CPU +TIME RESIDENT NAME\n1\n1\nusage: ps.*\n2\n"))
case("kill", "sleep 1000 & kill $!; wait; echo $?; kill 99999; echo $?; kill x; echo $?; kill; echo $?; kill -9 99999; echo $?",
     re.compile(r"0\nkill: 99999: No such process\n1\nkill: x: .*\n1\nusage: kill.*\n2\nkill: 99999: No such process\n1\n"))
case("kill_init_and_kernel_tasks", "kill 2; echo $?; ps | grep -c ' init$'",
     re.compile(r"kill: 2: Operation not permitted\n1\n1\n"))
case("sleep", "sleep 0; echo $?; sleep 0.1; echo $?; sleep; echo $?; sleep x; echo $?; sleep -1; echo $?",
     re.compile(r"0\n0\nusage: sleep.*\n2\nsleep: invalid time.*: x\n2\nsleep: .*-1\n2\n"))
case("uptime", "uptime", re.compile(rf"\d\d:\d\d:\d\d up 0:\d\d:\d\d\.\d, \d+ tasks, {min(2, CPUS_MAX)} cpus\n"))
case("date", "date", re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d UTC 20\d\d\n"))
case("free", "free; free x; echo $?", re.compile(
    r" +total +used +free +cached +available +promised\n +\d+ +\d+ +\d+ +\d+ +\d+ +\d+\nusage: free.*\n2\n"))
case("free_adds_up", "free | tail -n 1 > f; read t u f c a p < f; test $t -gt 100000 -a $u -lt $t -a $a -ge $f -a $f -gt 0 && echo plausible", "plausible\n")
case("time", "time true; time sh -c 'exit 3'; echo $?; time nosuch; echo $?; time; echo $?",
     re.compile(rf"real \d+\.\d{{6}} s\nreal .* s\n3\ntime: nosuch: {NOT_THERE}\nreal .* s\n127\nusage: time.*\n2\n"))
case("forktest", "forktest 50; echo $?; forktest x; echo $?", "forktest: 50 children\nforktest: OK\n0\nforktest: invalid number: x\n2\n")
case("stress", "stress -t 1 > f; echo $?; tail -n 1 f | grep -c PASS", "0\n1\n")
case("full_pipe_and_slow_reader", "seq 20000 | { sleep 0.2; tail -n 1; }", "20000\n")
case("output_to_a_full_disk", "while cat /bin/* >> fill; do :; done; echo x > y; echo $?; rm fill; echo z > y; cat y",
     "cat: write error: No space left on device\necho: write error: No space left on device\n1\nz\n")


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    return SCRIPTS.run(tmp_path_factory.mktemp("scripts"), cpus=2)


@pytest.mark.parametrize("name", SCRIPTS.cases)
def test_program(name, outputs):
    SCRIPTS.check(outputs, name)


def test_every_program_is_tested():
    """A program that comes new has a case here, or is named in another test."""
    elsewhere = {"init", "sh", "halt", "reboot", "bench", "malloco", "tamalloc", "cow", "memstat", "vmmap"}
    text = " ".join(case.script for case in SCRIPTS.cases.values())
    assert {p for p in programs("bin") if not re.search(rf"\b{p}\b", text)} <= elsewhere


def test_halt_ends_the_emulator():
    assert batch("echo last words; halt; echo never", cpus=2).lines[-1] == "last words"


def test_halt_keeps_what_was_written():
    with Machine(cpus=2) as m:
        m.ok("echo kept > /tmp/f")
        m.halt(clean=True)


def test_reboot_starts_again_with_the_same_disk():
    with Machine(cpus=2, reboots=True) as m:
        m.ok("echo kept > /tmp/f")
        m.type("reboot")
        m.expect_exact("Tamal on ")
        m.expect_exact("$ ")
        assert m.ok("cat /tmp/f") == "kept\n"
        m.halt()


# ---- Programs from elsewhere

HELLO = """\
#include "user/user.h"
int main(int argc, char **argv)
{
    printf("hello from %s, %d arguments\\n", argv[0], argc - 1);
    return 0;
}
"""

# As programs of xv6 are written: its headers, its calls, its struct dirent, its idioms.
XV6_LS = """\
#include "kernel/types.h"
#include "kernel/stat.h"
#include "user/user.h"
#include "kernel/fs.h"
#include "kernel/fcntl.h"

char*
fmtname(char *path)
{
  static char buf[DIRSIZ+1];
  char *p;

  // Find first character after last slash.
  for(p=path+strlen(path); p >= path && *p != '/'; p--)
    ;
  p++;

  // Return blank-padded name.
  if(strlen(p) >= DIRSIZ)
    return p;
  memmove(buf, p, strlen(p));
  memset(buf+strlen(p), ' ', DIRSIZ-strlen(p));
  return buf;
}

void
ls(char *path)
{
  char buf[512], *p;
  int fd;
  struct dirent de;
  struct stat st;

  if((fd = open(path, O_RDONLY)) < 0){
    fprintf(2, "ls: cannot open %s\\n", path);
    return;
  }
  if(fstat(fd, &st) < 0){
    fprintf(2, "ls: cannot stat %s\\n", path);
    close(fd);
    return;
  }

  switch(st.type){
  case T_DEVICE:
  case T_FILE:
    printf("%s %d %d %d\\n", fmtname(path), st.type, st.ino, (int) st.size);
    break;

  case T_DIR:
    if(strlen(path) + 1 + DIRSIZ + 1 > sizeof buf){
      printf("ls: path too long\\n");
      break;
    }
    strcpy(buf, path);
    p = buf+strlen(buf);
    *p++ = '/';
    while(read(fd, &de, sizeof(de)) == sizeof(de)){
      if(de.inum == 0)
        continue;
      memmove(p, de.name, DIRSIZ);
      p[DIRSIZ] = 0;
      if(stat(buf, &st) < 0){
        printf("ls: cannot stat %s\\n", buf);
        continue;
      }
      printf("%s %d %d %d\\n", fmtname(buf), st.type, st.ino, (int) st.size);
    }
    break;
  }
  close(fd);
}

int
main(int argc, char *argv[])
{
  int i;

  if(argc < 2){
    ls(".");
    exit(0);
  }
  for(i=1; i<argc; i++)
    ls(argv[i]);
  exit(0);
}
"""

XV6_FIND = """\
#include "kernel/types.h"
#include "kernel/stat.h"
#include "user/user.h"
#include "kernel/fs.h"

void
find(char *path, char *target)
{
  char buf[512], *p;
  int fd;
  struct dirent de;
  struct stat st;

  if((fd = open(path, 0)) < 0){
    fprintf(2, "find: cannot open %s\\n", path);
    exit(1);
  }
  if(fstat(fd, &st) < 0 || st.type != T_DIR){
    fprintf(2, "find: %s is no directory\\n", path);
    close(fd);
    return;
  }
  strcpy(buf, path);
  p = buf + strlen(buf);
  *p++ = '/';
  while(read(fd, &de, sizeof(de)) == sizeof(de)){
    if(de.inum == 0 || !strcmp(de.name, ".") || !strcmp(de.name, ".."))
      continue;
    memmove(p, de.name, DIRSIZ);
    p[DIRSIZ] = 0;
    if(stat(buf, &st) < 0)
      continue;
    if(strcmp(de.name, target) == 0)
      printf("%s\\n", buf);
    if(st.type == T_DIR)
      find(buf, target);
  }
  close(fd);
}

int
main(int argc, char *argv[])
{
  if(argc != 3){
    fprintf(2, "Usage: find dir name\\n");
    exit(1);
  }
  find(argv[1], argv[2]);
  exit(0);
}
"""

XV6_MIX = """\
#include "kernel/types.h"
#include "kernel/param.h"
#include "kernel/memlayout.h"
#include "kernel/riscv.h"
#include "kernel/syscall.h"
#include "kernel/fcntl.h"
#include "kernel/stat.h"
#include "kernel/fs.h"
#include "user/user.h"

char buf[512];

void
pingpong(void)
{
  int p[2], q[2], status;
  char c = 'x';

  pipe(p);
  pipe(q);
  if(fork() == 0){
    read(p[0], &c, 1);
    printf("%d: received ping\\n", c);
    write(q[1], "y", 1);
    exit(5);
  }
  write(p[1], &c, 1);
  read(q[0], &c, 1);
  printf("%d: received pong\\n", c);
  if(wait(&status) < 0 || status != 5)
    fprintf(2, "wrong status %d\\n", status);
  close(p[0]); close(p[1]); close(q[0]); close(q[1]);
}

void
memory(void)
{
  char *a = sbrk(PGSIZE), *b = sbrk(0);
  uint64 n = b - a;
  uint32 u = 0xdeadbeef;
  uchar k = 'k';

  a[0] = a[PGSIZE-1] = 1;
  printf("%d %x %p %c %s %% %d\\n", (int)n, u, (void*)0x1000, k, "str", -7);
  printf("%lu %lx %ld\\n", ~0UL, (unsigned long)255, (long)-3);
  sbrk(-PGSIZE);
  if(sbrk(0) != a)
    fprintf(2, "sbrk\\n");
  char *m = malloc(100);
  strcpy(m, "malloc");
  printf("%s %d\\n", m, (int)strlen(m));
  free(m);
}

void
redirect(void)
{
  char *argv[] = { "echo", "through", "a", "pipe", 0 };
  int p[2], n;

  pipe(p);
  if(fork() == 0){
    close(1);
    dup(p[1]);
    close(p[0]);
    close(p[1]);
    exec("echo", argv);
    fprintf(2, "exec echo failed\\n");
    exit(1);
  }
  close(p[1]);
  n = read(p[0], buf, sizeof(buf));
  write(1, buf, n);
  close(p[0]);
  wait(0);
}

int
main(void)
{
  int fd = open("xv6file", O_CREATE | O_RDWR | O_TRUNC), t = uptime();
  struct stat st;

  fprintf(fd, "%s %d\\n", "line", 42);
  fstat(fd, &st);
  printf("%d %d %d\\n", st.type == T_FILE, st.nlink, (int)st.size);
  close(fd);
  link("xv6file", "second");
  unlink("xv6file");
  fd = open("second", 0);
  gets(buf, 1);
  read(fd, buf, sizeof buf);
  printf("%s", buf);
  close(fd);
  mkdir("xv6dir");
  chdir("xv6dir");
  mknod("null", 2, 0);
  pingpong();
  memory();
  redirect();
  sleep(1);
  pause(1);
  if(uptime() - t < 2 || NCPU < 1 || MAXPATH < 1 || BSIZE < 1 || ROOTINO < 1 || SYS_fork < 1)
    fprintf(2, "facts\\n");
  printf("%d %d %d\\n", atoi("12x"), strcmp("a", "b") < 0, memcmp("ab", "ab", 2));
  kill(getpid());
  for(;;)
    ;
}
"""

# Ordinary C, which calls the system by its number (here a call that may not be there: only its wait for Enter is run).
ORDINARY = """\
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define CALL 465

int main() {
    printf("My process: %d\\n", getpid());
    printf("Press ENTER to go on...\\n");
    getchar();

    const size_t total_size = 10 * 1024 * 1024; // ten megabytes

    char *buffer = (char *) syscall(CALL, total_size);

    if ((long) buffer < 0) {
        perror("the system call failed");

        return 1;
    }

    printf("Got 10 MB at %p\\n", buffer);
    getchar();

    srand(time(NULL));

    for (size_t i = 0; i < total_size; i++) {
        const char current_byte = buffer[i];

        if (current_byte != 0) {
            printf("Not zero: byte %zu\\n", i);

            return 1;
        }

        const char random_letter = 'A' + rand() % 26;
        buffer[i] = random_letter;

        if (i % (1024 * 1024) == 0 && i > 0) {
            printf("%zu MB seen...\\n", i / (1024 * 1024));
            sleep(1);
        }
    }

    printf("All of it was zero. Press ENTER to end.\\n");
    getchar();

    return 0;
}
"""

GUESTS = {"hello": HELLO, "xls": XV6_LS, "find": XV6_FIND, "mix": XV6_MIX, "ordinary": ORDINARY}


@pytest.fixture(scope="module")
def guests(tmp_path_factory):
    """(make's output, an image with the programs): built in a folder of their own, so that build/ stays as it is."""
    folder = tmp_path_factory.mktemp("guests")
    build = folder / "riscv"
    shutil.copytree(flavour(False), build, symlinks=True)
    for name, text in GUESTS.items():
        (folder / f"{name}.c").write_text(text)
    done = make("image", BUILD=build, PROGRAMS=" ".join(f"{folder}/{name}.c" for name in GUESTS))
    return done.stdout, build / "fs.img"


def test_programs_from_another_folder_build_without_warnings(guests):
    assert "warning" not in guests[0] and "error" not in guests[0], guests[0]


def test_hello(guests):
    assert "hello from hello, 2 arguments" in batch("hello a b", image=guests[1], cpus=2).lines


def test_xv6_ls_and_find(guests):
    run = batch("cd /tmp; mkdir -p a/b/c; echo x > a/b/name; echo y > a/name; find a name; find nosuch x; xls a; xls a/name; "
                "xls nosuch; xls / | wc -l", image=guests[1], cpus=2)
    text = "\n".join(run.lines)
    assert "a/b/name\na/name\nfind: cannot open nosuch\n" in text
    assert re.search(r"^\. +1 \d+ \d+\n\.\. +1 \d+ \d+\nb +1 \d+ \d+\nname +2 \d+ 2\nname +2 \d+ 2\nls: cannot open nosuch$",
                     text, re.M), text


def test_xv6_calls(guests):
    with Machine(image=guests[1], cpus=2) as m:
        m.ok("mkdir /tmp/x; cd /tmp/x")
        text, status = m.run("mix")
        assert status == -1
        assert text == ("1 1 8\nline 42\n120: received ping\n121: received pong\n"
                        f"4096 deadbeef 0x1000 k str % -7\n{ULONG_MAX} ff -3\nmalloc 6\nthrough a pipe\n12 1 0\n")
        assert m.ok("ls; ls xv6dir") == "second\nxv6dir\nnull\n"
        m.halt()


def test_ordinary_program_runs_up_to_its_call(guests):
    with Machine(image=guests[1], cpus=2) as m:
        m.type("ordinary; echo @$?@")
        assert re.search(r"My process: \d+\r\n", m.expect_exact("to go on...\r\n"))
        m.send("\r")
        m.expect([r"the system call failed: .*\r\n@1@\r\n\$ ", r"Got 10 MB at 0x[0-9a-f]+\r\n"])
        if m.which == 1:
            m.send("\x03")
            m.expect_exact("$ ")
        m.halt()


def test_a_program_with_an_error_is_refused_and_named(folder):
    (folder / "bad.c").write_text('#include "user/user.h"\nint main(void) { return nothing; }\n')
    build = folder / "riscv"
    shutil.copytree(flavour(False), build, symlinks=True)
    before = (build / "fs.img").read_bytes()
    done = make("image", check=False, BUILD=build, PROGRAMS=folder / "bad.c")
    assert done.returncode != 0 and "bad.c:2:" in done.stdout and "nothing" in done.stdout
    assert (build / "fs.img").read_bytes() == before


def test_a_program_that_is_not_there_is_named(folder):
    done = make("image", "-n", check=False, BUILD=folder / "riscv", PROGRAMS=folder / "nosuch.c")
    assert done.returncode != 0 and "nosuch.c" in done.stdout
