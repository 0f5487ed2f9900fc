"""Goroutines in gdb, of a live process or a core file, with or without debug information:

(gdb) source python/tools/gdb_goroutines.py
(gdb) info goroutines            all that exist: number, state, what they wait for and on, where they were started
(gdb) goroutine 7 bt             any command, on the stack of goroutine 7, which waits; frame #0 is the selected thread's
(gdb) goroutine all bt 8         the same for each goroutine that waits
"""

import gdb
import gdb.unwinder

# The fields of DebuggerLayout in runtime/debugger.cpp, in order.
FIELDS = [
    "version",
    "slabs",
    "now_ms",
    "slab_next",
    "slab_first_number",
    "slab_goroutines",
    "slab_count",
    "goroutine_size",
    "wait",
    "fiber",
    "waits_for",
    "waits_on",
    "site",
    "native",
    "thread",
    "since_ms",
    "frame",
]
VERSION = 1
STATES = {0: "ready or running", 1: "waiting", 2: "woken"}


def read(address, size=8, signed=False):
    data = gdb.selected_inferior().read_memory(address, size)
    return int.from_bytes(bytes(data), "little", signed=signed)


def read_text(address, limit=400):
    """The string of C at this address; its pages may end right behind it."""
    text = b""
    while len(text) < limit:
        byte = bytes(gdb.selected_inferior().read_memory(address + len(text), 1))
        if byte == b"\0":
            break
        text += byte
    return text.decode(errors="replace")


def layout():
    try:
        at = int(gdb.parse_and_eval("(unsigned long)&gotorch_debugger_layout"))
    except gdb.error:
        raise gdb.GdbError("GoTorch's library is not loaded in this program") from None
    fields = {name: read(at + 8 * i) for i, name in enumerate(FIELDS)}
    if fields["version"] != VERSION:
        raise gdb.GdbError(f"this script reads layout {VERSION}, the library has {fields['version']}")
    return fields


class Goroutine:
    def __init__(self, layout, address, number):
        self.number = number
        self.state = read(address + layout["wait"]) & 3
        self.native = read(address + layout["native"], 1) != 0
        self.thread = read(address + layout["thread"], 4)
        self.waits_for = read(address + layout["waits_for"])
        self.waits_on = read(address + layout["waits_on"])
        self.waited_ms = read(layout["now_ms"], 4) - read(address + layout["since_ms"], 4)
        fiber = read(address + layout["fiber"])
        self.frame = read(fiber + layout["frame"]) if fiber and self.waiting else 0
        self.site = read(address + layout["site"])

    @property
    def waiting(self):
        return self.state == 1 and self.waits_for != 0

    @property
    def live(self):
        return self.waiting if self.native else self.site != 0

    def started_at(self):
        """What std::source_location points to: file, function, line."""
        if not self.site or self.native:
            return ""
        file, function, line = read(self.site), read(self.site + 8), read(self.site + 16, 4)
        return f"{read_text(file)}:{line} in {read_text(function)}"

    def __str__(self):
        name = f"native thread {self.thread}" if self.native else f"goroutine {self.number}"
        if not self.waiting:
            text = f"{name} [{STATES.get(self.state, '?')}]"
        else:
            text = f"{name} [{read_text(self.waits_for)}, {max(0, self.waited_ms)} ms]"
            if self.waits_on:
                text += f" on {self.waits_on:#x}"
        site = self.started_at()
        return f"{text} started at {site}" if site else text


def goroutines():
    known = layout()
    slab = read(known["slabs"])
    found = []
    while slab:
        first = read(slab + known["slab_first_number"])
        for i in range(known["slab_count"]):
            address = slab + known["slab_goroutines"] + i * known["goroutine_size"]
            goroutine = Goroutine(known, address, first + i)
            if goroutine.live:
                found.append(goroutine)
        slab = read(slab + known["slab_next"])
    return sorted(found, key=lambda g: g.number)


class ParkedStack(gdb.unwinder.Unwinder):
    """While it is told of a goroutine, says that the selected thread's innermost frame was called from where that one waits. So
    nothing is written, and a core file will do."""

    def __init__(self):
        super().__init__("gotorch goroutine")
        self.goroutine = None
        self.top = 0

    def __call__(self, frame):
        if not self.goroutine or int(frame.read_register("rsp")) != self.top:
            return None
        at = self.goroutine.frame  # of the function that switches stacks: it saved rbp here, and below that its caller
        saved = {"rip": read(at + 8), "rsp": at + 16, "rbp": read(at)}
        # The innermost frame is told to lie on the goroutine's stack too: gdb does not go on to a stack further in.
        place = gdb.Value(at).cast(frame.read_register("rsp").type)
        info = frame.create_unwind_info(FrameId(place, frame.read_register("rip")))
        for name, value in saved.items():
            info.add_saved_register(name, gdb.Value(value).cast(frame.read_register(name).type))
        return info

    def run(self, goroutine, command):
        if not goroutine.frame:
            raise gdb.GdbError(f"goroutine {goroutine.number} does not wait, so its stack is not at rest")
        if gdb.selected_thread() is None:
            raise gdb.GdbError("there is no thread whose place it could take")
        self.top = int(gdb.newest_frame().read_register("rsp"))
        try:
            self.goroutine = goroutine
            gdb.invalidate_cached_frames()
            gdb.execute(command)
        finally:
            self.goroutine = None
            gdb.invalidate_cached_frames()


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


class InfoGoroutines(gdb.Command):
    """Lists all goroutines, and the native threads that wait in the runtime."""

    def __init__(self):
        super().__init__("info goroutines", gdb.COMMAND_STATUS)

    def invoke(self, arguments, from_tty):
        for goroutine in goroutines():
            print(goroutine)


class OnGoroutine(gdb.Command):
    """goroutine NUMBER|all COMMAND: runs a command of gdb, such as bt, on the stack of a goroutine that waits."""

    def __init__(self):
        super().__init__("goroutine", gdb.COMMAND_STACK)
        self.stack = ParkedStack()
        gdb.unwinder.register_unwinder(None, self.stack, replace=True)

    def invoke(self, arguments, from_tty):
        number, _, command = arguments.partition(" ")
        if not command or not (number == "all" or number.isdigit()):
            raise gdb.GdbError("usage: goroutine NUMBER|all COMMAND")
        chosen = [g for g in goroutines() if (g.frame if number == "all" else g.number == int(number))]
        if not chosen:
            raise gdb.GdbError(f"there is no goroutine {number}")
        for goroutine in chosen:
            if number == "all":
                print(goroutine)
            self.stack.run(goroutine, command)


InfoGoroutines()
OnGoroutine()
