"""What a stopped i386 holds: descriptors, gates, task-state segments, trap frames. `m` is a machine of outside.py (or any Stub).

References: Intel's Software Developer's Manual, volume 3A: 3.4.5, 6.11, 7.2.
"""
import struct
from collections import namedtuple

PAGE = 4096
CODE_0, CODE_3, DATA_0, DATA_3 = 0x08, 0x13, 0x18, 0x23         # selectors
INITIAL, IDLE, FIRST_TASK, SWEEPER = 11, 12, 13, 20             # indexes in the GDT
IF, NT = 1 << 9, 1 << 14                                        # EFLAGS
TSS_AVAILABLE, TSS_BUSY = 9, 11                                 # types
TSS_FIELDS = ("previous esp0 ss0 esp1 ss1 esp2 ss2 cr3 eip eflags eax ecx edx ebx esp ebp esi edi "
              "es cs ss ds fs gs ldt").split()
FRAME_FIELDS = "es ds edi esi ebp unused ebx edx ecx eax vector error eip cs eflags esp ss".split()
FRAME_POINTER, STACK, SELECTOR = 104, 108, 116                  # in struct context, behind the TSS of 104 bytes

Descriptor = namedtuple("Descriptor", "base limit type s dpl p avl l db g raw")
Gate = namedtuple("Gate", "offset selector zero type s dpl p raw")


def descriptor(raw):
    low, high = struct.unpack("<II", raw)
    return Descriptor(base=low >> 16 | (high & 0xff) << 16 | high & 0xff000000, limit=low & 0xffff | high & 0xf0000,
                      type=high >> 8 & 15, s=high >> 12 & 1, dpl=high >> 13 & 3, p=high >> 15 & 1, avl=high >> 20 & 1,
                      l=high >> 21 & 1, db=high >> 22 & 1, g=high >> 23 & 1, raw=raw)


def gate(raw):
    low, selector, zero, kind, high = struct.unpack("<HHBBH", raw)
    return Gate(low | high << 16, selector, zero, kind & 15, kind >> 4 & 1, kind >> 5 & 3, kind >> 7, raw)


def gdt(m, index):
    """What the processor itself uses: GDTR tells where it is."""
    return descriptor(m.read(m.registers()["GDT"] + 8 * index, 8))


def gates(m):
    raw = m.read(m.registers()["IDT"], 256 * 8)
    return {vector: gate(raw[8 * vector:8 * vector + 8]) for vector in range(256)}


def tss(m, address):
    return dict(zip(TSS_FIELDS, struct.unpack("<25I", m.read(address, 100))))


def frame_of(m, task):
    """The trap frame at the top of a task's kernel stack."""
    return dict(zip(FRAME_FIELDS, struct.unpack("<17I", m.read(m.word(task + FRAME_POINTER), 68))))


def task_selector(m, task):
    return m.word(task + SELECTOR) & 0xffff


def tasks_in_gdt(m, count=128):
    """{index: address of the TSS} of the descriptors for tasks, the idle task's too."""
    raw = m.read(m.registers()["GDT"], 8 * count)
    found = {i: descriptor(raw[8 * i:8 * i + 8]) for i in range(IDLE, count)}
    return {i: d.base for i, d in found.items() if d.p and d.type in (TSS_AVAILABLE, TSS_BUSY)}
