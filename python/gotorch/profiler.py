"""Who takes how long and how much memory: ops, nodes of backward, optimizer steps, regions that a program names.

    from gotorch.profiler import profile, record_function

    with profile(record_shapes=True, profile_memory=True) as prof:
        with record_function("forward"):
            loss = loss_of(model(x), y)
        loss.backward()
    print(prof.key_averages().table(sort_by="self_cpu_time_total", row_limit=10))
    prof.export_chrome_trace("step.json")

Pointwise ops on large tensors are deferred: what they cost is listed as `evaluate`, where the result was needed. Memory is that of all
tensors of the process, so what runs on several goroutines at once counts what the others do. Source: PyTorch's `torch.profiler`.
"""

import contextlib
import enum
import json
import os
import socket
import time

from gotorch import _C
from gotorch._archive import AtomicFile

__all__ = [
    "ProfilerAction",
    "ProfilerActivity",
    "profile",
    "record_function",
    "schedule",
    "tensorboard_trace_handler",
]


class ProfilerActivity(enum.Enum):
    """What to look at. There is only the CPU."""

    CPU = 0
    CUDA = 2


class ProfilerAction(enum.Enum):
    """What a profile does in a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


_RECORDING = (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)


def supported_activities():
    return {ProfilerActivity.CPU}


class record_function(contextlib.ContextDecorator):  # noqa: N801 (PyTorch's name)
    """Names a region of the program in profiles and in `gotorch.runtime.trace`: a context manager, and a decorator."""

    def __init__(self, name, args=None):
        self.name, self.args = name, args
        self._regions = []

    def __enter__(self):
        self._regions.append(_C._Region(self.name))
        return self

    def __exit__(self, *error):
        self._regions.pop().close()


def schedule(*, wait, warmup, active, repeat=0, skip_first=0, skip_first_wait=0):
    """A function from a step's number to what a profile does in it.

    After `skip_first` steps, cycles of `wait` steps of nothing, `warmup`, and `active` steps that are recorded; `repeat` cycles, or without
    end if 0. The first cycle has no wait if `skip_first_wait` is not 0. ValueError for negative numbers, or `active` under 1.
    """
    numbers = dict(wait=wait, warmup=warmup, repeat=repeat, skip_first=skip_first)
    for name, n in numbers.items():
        if n < 0:
            raise ValueError(f"schedule: {name} must not be negative, got {n}")
    if active < 1:
        raise ValueError(f"schedule: active must be at least 1, got {active}")
    length = wait + warmup + active

    def action(step):
        if step < 0:
            raise ValueError(f"schedule: a step's number must not be negative, got {step}")
        step -= skip_first
        if step < 0:
            return ProfilerAction.NONE
        if skip_first_wait:
            step += wait
        if repeat > 0 and step >= repeat * length:
            return ProfilerAction.NONE
        at = step % length
        if at < wait:
            return ProfilerAction.NONE
        if at < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD_AND_SAVE if at == length - 1 else ProfilerAction.RECORD

    return action


class FunctionEvent:
    """One op, node, step or region that ran. Times are in microseconds, memory in bytes."""

    def __init__(self, number, record):
        self.id = number
        self.name, self.thread, self.start_ns, self.end_ns, self.cpu_memory_usage, self.peak_memory, shapes = record
        self.key, self.count, self.input_shapes = self.name, 1, shapes
        self.cpu_parent, self.cpu_children = None, []

    @property
    def cpu_time(self):
        return self.cpu_time_total

    @property
    def cpu_time_total(self):
        return (self.end_ns - self.start_ns) / 1000

    @property
    def self_cpu_time_total(self):
        return self.cpu_time_total - sum(c.cpu_time_total for c in self.cpu_children)

    @property
    def self_cpu_memory_usage(self):
        return self.cpu_memory_usage - sum(c.cpu_memory_usage for c in self.cpu_children)

    def __repr__(self):
        return f"<FunctionEvent {self.name} {self.cpu_time_total:.3f}us>"


class FunctionEventAvg:
    """All events of one name, or of one name and one list of shapes."""

    def __init__(self, key, input_shapes):
        self.key, self.input_shapes, self.count = key, input_shapes, 0
        self.cpu_time_total = self.self_cpu_time_total = 0.0
        self.cpu_memory_usage = self.self_cpu_memory_usage = self.peak_memory = 0

    def _add(self, event):
        self.count += 1
        # What is called within its own name counts once.
        outer = event.cpu_parent
        while outer is not None and outer.name != event.name:
            outer = outer.cpu_parent
        if outer is None:
            self.cpu_time_total += event.cpu_time_total
            self.cpu_memory_usage += event.cpu_memory_usage
        self.self_cpu_time_total += event.self_cpu_time_total
        self.self_cpu_memory_usage += event.self_cpu_memory_usage
        self.peak_memory = max(self.peak_memory, event.peak_memory)

    @property
    def cpu_time(self):
        return self.cpu_time_total / self.count

    def __repr__(self):
        return f"<FunctionEventAvg key={self.key} count={self.count} cpu_time={self.cpu_time:.3f}us>"


def _nested(records):
    """Events by their start, each with its parent and children on its goroutine or thread."""
    events = [FunctionEvent(i, r) for i, r in enumerate(sorted(records, key=lambda r: (r[2], -r[3])))]
    open_events = {}
    for event in events:
        around = open_events.setdefault(event.thread, [])
        while around and around[-1].end_ns < event.end_ns:
            around.pop()
        if around:
            event.cpu_parent = around[-1]
            around[-1].cpu_children.append(event)
        around.append(event)
    return events


_NUMBERS = (
    "self_cpu_time_total",
    "cpu_time_total",
    "cpu_time",
    "count",
    "cpu_memory_usage",
    "self_cpu_memory_usage",
    "peak_memory",
)


def _time(us):
    for unit, scale in (("s", 1e6), ("ms", 1e3)):
        if us >= scale:
            return f"{us / scale:.3f}{unit}"
    return f"{us:.3f}us"


def _bytes(n):
    for unit, scale in (("GB", 2**30), ("MB", 2**20), ("KB", 2**10)):
        if abs(n) >= scale:
            return f"{n / scale:.2f} {unit}"
    return f"{n} B"


class EventList(list):
    """Events, or averages of events, with a table of them."""

    def __init__(self, events, profile_memory):
        super().__init__(events)
        self._profile_memory = profile_memory

    @property
    def self_cpu_time_total(self):
        return sum(e.self_cpu_time_total for e in self)

    def total_average(self):
        total = FunctionEventAvg("Total", None)
        for e in self:
            total.count += e.count
            total.self_cpu_time_total += e.self_cpu_time_total
            total.self_cpu_memory_usage += e.self_cpu_memory_usage
            total.peak_memory = max(total.peak_memory, e.peak_memory)
        total.cpu_time_total, total.cpu_memory_usage = total.self_cpu_time_total, total.self_cpu_memory_usage
        return total

    def table(
        self,
        sort_by=None,
        row_limit=100,
        max_src_column_width=75,
        max_name_column_width=55,
        max_shapes_column_width=80,
        header=None,
        top_level_events_only=False,
    ):
        """The events as text. `sort_by` names the number by which they are sorted, the largest first: "self_cpu_time_total",
        "cpu_memory_usage", "peak_memory" and others. `row_limit` -1 shows all. AttributeError for what is no number of theirs."""
        events = [e for e in self if not top_level_events_only or getattr(e, "cpu_parent", None) is None]
        if sort_by is not None:
            if sort_by not in _NUMBERS:
                raise AttributeError(f"table: cannot sort by '{sort_by}', only by {', '.join(_NUMBERS)}")
            events.sort(key=lambda e: getattr(e, sort_by), reverse=True)
        whole = self.self_cpu_time_total or 1
        shapes = any(e.input_shapes for e in events)
        columns = ["Name", "Self CPU %", "Self CPU", "CPU total %", "CPU total", "CPU time avg"]
        if self._profile_memory:
            columns += ["CPU Mem", "Self CPU Mem", "Peak Mem"]
        columns.append("# of Calls")
        if shapes:
            columns.append("Input Shapes")
        rows = [
            self._row(e, whole, shapes, max_name_column_width, max_shapes_column_width)
            for e in (events if row_limit < 0 else events[:row_limit])
        ]
        widths = [max(len(r[i]) for r in [columns, *rows]) for i in range(len(columns))]
        rule = "  ".join("-" * w for w in widths)
        lines = [] if header is None else ["=" * len(rule), header]
        lines.append(rule)
        for i, row in enumerate([columns, *rows]):
            lines.append("  ".join(c.rjust(w) for c, w in zip(row, widths)))
            if i == 0:
                lines.append(rule)
        lines += [rule, f"Self CPU time total: {_time(self.self_cpu_time_total)}", ""]
        return "\n".join(lines)

    def _row(self, e, whole, shapes, name_width, shapes_width):
        def short(text, width):
            return text if width is None or len(text) <= width else text[: width - 3] + "..."

        row = [short(e.key, name_width)]
        for time_us in (e.self_cpu_time_total, e.cpu_time_total):
            row += [f"{100 * time_us / whole:.2f}%", _time(time_us)]
        row.append(_time(e.cpu_time_total / e.count))
        if self._profile_memory:
            row += [_bytes(n) for n in (e.cpu_memory_usage, e.self_cpu_memory_usage, e.peak_memory)]
        row.append(str(e.count))
        if shapes:
            row.append(short(str(e.input_shapes), shapes_width))
        return row

    def key_averages(self, group_by_input_shape=False):
        averages = {}
        for e in self:
            key = (e.name, str(e.input_shapes) if group_by_input_shape else "")
            if key not in averages:
                averages[key] = FunctionEventAvg(e.name, e.input_shapes if group_by_input_shape else None)
            averages[key]._add(e)
        return EventList(averages.values(), self._profile_memory)

    def export_chrome_trace(self, path):
        """Writes the events for chrome://tracing or ui.perfetto.dev."""
        lines = {line: i for i, line in enumerate(dict.fromkeys(e.thread for e in self))}
        events = []
        for e in self:
            arguments = {"memory": e.cpu_memory_usage, "peak memory": e.peak_memory}
            if e.input_shapes:
                arguments["Input Dims"] = e.input_shapes
            events.append(
                dict(ph="X", cat="cpu_op", name=e.name, pid=os.getpid(), tid=lines[e.thread], ts=e.start_ns / 1000,
                     dur=(e.end_ns - e.start_ns) / 1000, args=arguments)
            )  # fmt: skip
        with AtomicFile(path) as file:
            file.write(json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}).encode())

    def __str__(self):
        return self.table()


class profile:  # noqa: N801 (PyTorch's name)
    """Records what runs in a `with` block, or between `start()` and `stop()`.

    `activities`: ProfilerActivity.CPU only. `schedule`: see `schedule()`; the program then calls `step()` after each step.
    `on_trace_ready(profile)` is called when a recording ends. `record_shapes`: with the shapes of arguments. `profile_memory`: tables
    show, beside times, what an op's tensors add to memory, and the most that was held while it ran ("Peak Mem").
    RuntimeError if another profile records; NotImplementedError for CUDA, `with_stack`, `with_flops` and `with_modules`.
    """

    def __init__(
        self,
        *,
        activities=None,
        schedule=None,
        on_trace_ready=None,
        record_shapes=False,
        profile_memory=False,
        with_stack=False,
        with_flops=False,
        with_modules=False,
        experimental_config=None,
        execution_trace_observer=None,
        acc_events=False,
        use_cuda=None,
    ):
        wanted = dict(with_stack=with_stack, with_flops=with_flops, with_modules=with_modules, use_cuda=use_cuda,
                      experimental_config=experimental_config, execution_trace_observer=execution_trace_observer)  # fmt: skip
        for name, value in wanted.items():
            if value:
                raise NotImplementedError(f"profile: {name}={value!r} is not implemented")
        for activity in activities or ():
            if activity is not ProfilerActivity.CPU:
                raise NotImplementedError(f"profile: {activity} is not implemented: there is only the CPU")
        self._schedule = schedule or (lambda step: ProfilerAction.RECORD)
        self._scheduled, self._on_trace_ready = schedule is not None, on_trace_ready
        self._record_shapes, self._profile_memory, self._keep = record_shapes, profile_memory, acc_events
        self._records, self._events, self._region = None, None, None
        self._recording = False
        self.step_num, self.current_action = 0, ProfilerAction.NONE

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self.stop()

    def start(self):
        self._enter(self._schedule(self.step_num))

    def stop(self):
        was_recording = self._recording
        self._end_recording()
        if was_recording and self._on_trace_ready:
            self._on_trace_ready(self)
        self.current_action = ProfilerAction.NONE

    def step(self):
        """The program has made a step: what the schedule says of the next one begins."""
        before = self.current_action
        self.step_num += 1
        after = self._schedule(self.step_num)
        self._close_region()
        if self._recording and (before is ProfilerAction.RECORD_AND_SAVE or after not in _RECORDING):
            self._end_recording()
            if before is ProfilerAction.RECORD_AND_SAVE and self._on_trace_ready:
                self._on_trace_ready(self)
        self._enter(after)

    def events(self):
        """All events, by the time they began. RuntimeError before anything was recorded."""
        if self._events is None:
            if self._records is None:
                raise RuntimeError("profile: nothing was recorded")
            self._events = EventList(_nested(self._records), self._profile_memory)
        return self._events

    def key_averages(self, group_by_input_shape=False, group_by_stack_n=0):
        """Sums of the events of each name; with `group_by_input_shape`, of each name and shapes."""
        if group_by_stack_n:
            raise NotImplementedError("key_averages: group_by_stack_n is not implemented")
        return self.events().key_averages(group_by_input_shape)

    def export_chrome_trace(self, path):
        """Writes the events for chrome://tracing or ui.perfetto.dev. OSError if that fails."""
        self.events().export_chrome_trace(path)

    def export_stacks(self, path, metric="self_cpu_time_total"):
        raise NotImplementedError("profile: stacks are not implemented")

    def _enter(self, action):
        if action in _RECORDING and not self._recording:
            _C._start_profile(self._record_shapes)
            self._recording, self._events = True, None
            if self._records is None or not self._keep:
                self._records = []
        self.current_action = action
        if self._recording and self._scheduled:
            self._region = _C._Region(f"ProfilerStep#{self.step_num}")

    def _close_region(self):
        if self._region is not None:
            self._region.close()
            self._region = None

    def _end_recording(self):
        self._close_region()
        if self._recording:
            self._recording = False
            self._records += _C._stop_profile()


def tensorboard_trace_handler(dir_name, worker_name=None, use_gzip=False):
    """An `on_trace_ready` that writes each recording to a file of its own in `dir_name`."""
    if use_gzip:
        raise NotImplementedError("tensorboard_trace_handler: use_gzip is not implemented")

    def write(prof):
        os.makedirs(dir_name, exist_ok=True)
        name = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        prof.export_chrome_trace(os.path.join(dir_name, f"{name}.{time.time_ns()}.pt.trace.json"))

    return write
