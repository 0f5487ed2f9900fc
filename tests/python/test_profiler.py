"""gotorch.profiler: what is listed, its numbers, schedules, and what is refused."""

import json
import threading

import gotorch as torch
import pytest
from gotorch.profiler import (
    ProfilerAction,
    ProfilerActivity,
    profile,
    record_function,
    schedule,
    tensorboard_trace_handler,
)

KB = 1024


def by_key(prof, **options):
    return {e.key: e for e in prof.key_averages(**options)}


def test_ops_are_listed_by_name_with_their_calls_and_times():
    x = torch.randn(64, 64)
    with profile(activities=[ProfilerActivity.CPU]) as prof:
        for _ in range(3):
            torch.mm(x, x)
        x.add_(1)
    averages = by_key(prof)
    assert averages["aten::mm"].count == 3
    assert averages["aten::add_"].count == 1
    mm = averages["aten::mm"]
    assert 0 < mm.self_cpu_time_total <= mm.cpu_time_total
    assert mm.cpu_time == pytest.approx(mm.cpu_time_total / 3)
    assert len(prof.events()) >= 4


def test_nothing_is_listed_outside_of_a_profile():
    x = torch.randn(4)
    torch.sin(x)
    with profile() as prof:
        torch.cos(x)
    torch.tan(x)
    assert set(by_key(prof)) == {"aten::cos"}


def test_parts_of_an_op_are_its_children_and_not_its_own_time():
    with profile() as prof, record_function("outer"), record_function("inner"):
        torch.mm(torch.ones(32, 32), torch.ones(32, 32))
    outer, inner = (next(e for e in prof.events() if e.name == n) for n in ("outer", "inner"))
    assert inner.cpu_parent is outer and outer.cpu_children == [inner]
    assert outer.self_cpu_time_total == pytest.approx(outer.cpu_time_total - inner.cpu_time_total)
    assert outer.start_ns <= inner.start_ns <= inner.end_ns <= outer.end_ns


def test_memory_is_what_the_results_hold_and_the_peak_what_was_held_meanwhile():
    with profile(profile_memory=True) as prof:
        with record_function("kept"):
            kept = torch.ones(256 * KB)  # 1 MiB of floats
        with record_function("dropped"):
            torch.ones(512 * KB).sum().item()
        with record_function("freed"):
            del kept
    e = by_key(prof)
    mb, slack = 1 << 20, 64 * KB
    assert abs(e["kept"].cpu_memory_usage - mb) < slack and abs(e["kept"].peak_memory - mb) < slack
    assert abs(e["dropped"].cpu_memory_usage) < slack and abs(e["dropped"].peak_memory - 2 * mb) < slack
    assert abs(e["freed"].cpu_memory_usage + mb) < slack and e["freed"].peak_memory < slack
    assert abs(e["aten::ones"].peak_memory - 2 * mb) < slack


def test_the_peak_that_a_program_asks_for_is_the_same_with_a_profile():
    def peak():
        torch.cpu.reset_peak_memory_stats()
        base = torch.cpu.memory_allocated()
        x = torch.ones(256 * KB)
        torch.ones(512 * KB).sum().item()
        torch.mm(torch.ones(8, 8), torch.ones(8, 8))
        del x
        return torch.cpu.max_memory_allocated() - base

    plain = peak()
    with profile():
        profiled = peak()
    assert abs(profiled - plain) < 64 * KB


def test_backward_and_optimizer_steps_are_listed():
    net = torch.nn.Linear(8, 4)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with profile() as prof:
        net(torch.randn(16, 8)).relu().sum().backward()
        optimizer.step()
    keys = by_key(prof)
    assert {"aten::linear", "aten::relu", "aten::sum"} <= keys.keys()
    assert "LinearBackward0" in keys
    assert keys["Optimizer.step#SGD.step"].count == 1
    assert "AccumulateGrad" in keys


def test_what_is_deferred_is_listed_where_it_is_evaluated():
    x = torch.randn(1_000_000)
    with profile(profile_memory=True) as prof:
        y = x.exp().sin() + 1
        with record_function("use"):
            y.data_ptr()
    use = next(e for e in prof.events() if e.name == "use")
    assert [e.name for e in use.cpu_children] == ["evaluate"]
    assert use.cpu_children[0].peak_memory >= 4_000_000


def test_shapes_of_arguments():
    with profile(record_shapes=True) as prof:
        torch.mm(torch.ones(2, 3), torch.ones(3, 4))
        torch.mm(torch.ones(5, 3), torch.ones(3, 4))
        torch.mm(torch.ones(2, 3), torch.ones(3, 4))
    counts = {str(e.input_shapes): e.count for e in prof.key_averages(group_by_input_shape=True) if e.key == "aten::mm"}
    assert counts == {"[[2, 3], [3, 4]]": 2, "[[5, 3], [3, 4]]": 1}
    assert "Input Shapes" in prof.key_averages(group_by_input_shape=True).table()
    with profile() as plain:
        torch.mm(torch.ones(2, 3), torch.ones(3, 4))
    assert all(not e.input_shapes for e in plain.events())


def test_the_table_is_sorted_and_cut():
    with profile(profile_memory=True) as prof:
        for n in (10, 1000):
            torch.ones(n)
        torch.zeros(100_000)
    averages = prof.key_averages()
    lines = averages.table(sort_by="peak_memory", row_limit=1, header="what").splitlines()
    assert lines[1] == "what"
    rows = [line for line in lines if "aten::" in line]
    assert len(rows) == 1 and "aten::zeros" in rows[0] and " KB" in rows[0]
    assert len([r for r in averages.table(row_limit=-1).splitlines() if "aten::" in r]) == 2
    with pytest.raises(AttributeError, match="bytes"):
        averages.table(sort_by="bytes")
    assert averages.total_average().count == 3


def test_a_chrome_trace_holds_the_events(tmp_path):
    with profile(record_shapes=True) as prof, record_function("a region"):
        torch.mm(torch.ones(2, 3), torch.ones(3, 4))
    path = tmp_path / "trace.json"
    prof.export_chrome_trace(str(path))
    events = json.loads(path.read_text())["traceEvents"]
    assert {"a region", "aten::mm"} <= {e["name"] for e in events}
    mm = next(e for e in events if e["name"] == "aten::mm")
    assert mm["ph"] == "X" and mm["dur"] > 0 and mm["args"]["Input Dims"] == [[2, 3], [3, 4]]
    with pytest.raises(OSError):
        prof.export_chrome_trace(str(tmp_path / "none" / "trace.json"))


def test_events_of_other_threads_have_a_line_of_their_own():
    with profile() as prof:
        thread = threading.Thread(target=lambda: torch.ones(3))
        thread.start()
        thread.join()
        torch.zeros(3)
    lines = {e.name: e.thread for e in prof.events()}
    assert lines["aten::ones"] != lines["aten::zeros"]


def test_record_function_is_a_decorator():
    @record_function("work")
    def work(n):
        return work(n - 1) + 1 if n else 0

    assert work(2) == 2
    with profile() as prof:
        assert work(2) == 2
    event = by_key(prof)["work"]
    assert event.count == 3
    # What is called within its own name counts once.
    outermost = prof.events()[0]
    assert event.cpu_time_total == outermost.cpu_time_total


def test_a_schedule_says_what_each_step_does():
    action = schedule(skip_first=1, wait=1, warmup=1, active=2, repeat=2)
    none, warm, record, save = (ProfilerAction[n] for n in ("NONE", "WARMUP", "RECORD", "RECORD_AND_SAVE"))
    assert [action(i) for i in range(11)] == [none, none, warm, record, save, none, warm, record, save, none, none]
    for bad in (dict(wait=-1), dict(warmup=-1), dict(active=0), dict(repeat=-1), dict(skip_first=-1)):
        with pytest.raises(ValueError):
            schedule(**{"wait": 0, "warmup": 0, "active": 1, **bad})


def test_a_scheduled_profile_hands_over_each_recording():
    seen = []

    def ready(prof):
        names = [e.name for e in prof.events()]
        seen.append((prof.step_num, names.count("aten::ones"), [n for n in names if n.startswith("ProfilerStep")]))

    with profile(schedule=schedule(wait=1, warmup=1, active=2, repeat=2), on_trace_ready=ready) as prof:
        for _ in range(10):
            torch.ones(3)
            prof.step()
    assert seen == [(4, 2, ["ProfilerStep#2", "ProfilerStep#3"]), (8, 2, ["ProfilerStep#6", "ProfilerStep#7"])]


def test_traces_for_tensorboard(tmp_path):
    with profile(on_trace_ready=tensorboard_trace_handler(str(tmp_path / "runs"), "me")):
        torch.ones(3)
    (file,) = (tmp_path / "runs").iterdir()
    assert file.name.startswith("me.") and file.name.endswith(".pt.trace.json")
    assert json.loads(file.read_text())["traceEvents"]


def test_the_older_form():
    with torch.autograd.profiler.profile() as prof:
        torch.ones(3)
    assert "aten::ones" in prof.table() and prof.self_cpu_time_total > 0
    with torch.autograd.profiler.profile(enabled=False):
        torch.ones(3)


def test_two_profiles_at_once_are_refused():
    with profile() as prof:
        with pytest.raises(RuntimeError, match="on already"):
            profile().start()
        torch.ones(3)
    assert "aten::ones" in by_key(prof)


def test_an_error_ends_a_recording():
    with pytest.raises(RuntimeError, match="mm"), profile():
        torch.mm(torch.ones(2, 3), torch.ones(2, 3))
    with profile() as prof, pytest.raises(RuntimeError, match="mm"):
        torch.mm(torch.ones(2, 3), torch.ones(2, 3))
    assert by_key(prof)["aten::mm"].count == 1


@pytest.mark.parametrize("option", ["with_stack", "with_flops", "with_modules"])
def test_what_is_not_there_says_so(option):
    with pytest.raises(NotImplementedError, match=option):
        profile(**{option: True})


def test_cuda_is_not_there():
    with pytest.raises(NotImplementedError, match="CUDA"):
        profile(activities=[ProfilerActivity.CUDA])


def test_a_block_without_ops():
    with profile() as prof:
        pass
    assert prof.events() == [] and "Self CPU time total: 0.000us" in prof.key_averages().table(sort_by="count")


def test_events_before_anything_was_recorded():
    with pytest.raises(RuntimeError, match="nothing was recorded"):
        profile().key_averages()
