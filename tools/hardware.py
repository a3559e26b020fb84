"""What QEMU is asked for, machine by machine: for the grader, the tests and the benchmarks. (tools/run says the same in its own words.)"""
QEMU = {"riscv": "qemu-system-riscv64", "i386": "qemu-system-i386"}
HARDWARE = {
    "riscv": ["-machine", "virt", "-bios", "default", "-global", "virtio-mmio.force-legacy=false"],
    "i386": ["-machine", "pc", "-vga", "none", "-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
}
DISK_DEVICE = {"riscv": "virtio-blk-device,drive=disk0", "i386": "ide-hd,drive=disk0,bus=ide.0"}
CPUS_MAX = {"riscv": 8, "i386": 1}
