#include "tensor/program.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <vector>

#include "runtime/parallel.h"
#include "tensor/kernels/cast.h"
#include "tensor/kernels/plane.h"

namespace gotorch {
namespace {

// The largest item is 8 bytes, so every tile buffer has room for any dtype.
constexpr int64_t kItemRoom = 8;
// Bytes of a buffer. Readers of a program's tiles take up to kTile elements.
int64_t room_of(int64_t tile) { return std::max(tile, kTile) * kItemRoom; }

// Scratch tiles of one thread for the programs it ran last. Kernels' chunks never park, so thread-local is safe.
struct Scratch {
  uint64_t program = 0;
  Buffer<std::byte> room;
  std::byte* base = nullptr;
};
constexpr int kScratches = 4;
thread_local Scratch scratches[kScratches];
thread_local int next_scratch = 0;

std::atomic<uint64_t> next_program_id{1};

// A source that was pending when it was recorded may be in memory by now.
bool to_compute(const Pending::Source& s) {
  return s.pending && !s.pending->done.load(std::memory_order_relaxed);
}

}  // namespace

Program::Program(Pending& root, Dtype result, Root becomes)
    : numel_(numel_of(root.shape)), id_(next_program_id++) {
  collect(root);
  choose_stored();
  if (becomes != Root::Read) nodes_.back().stored = true;
  if (becomes == Root::Evaluated) write_over_dead_operand(root);
  if (becomes != Root::Read) root.storage->allocate_data();
  emit_nodes();
  result_slot_ = cast_slot(nodes_.back().slot, result);
  assign_buffers();
}

Program::Program(const Tensor& x, Dtype result) : numel_(x.numel()), id_(next_program_id++) {
  result_slot_ = cast_slot(leaf_slot(x, x.shape()), result);
  assign_buffers();
}

Program::Program(const PointwiseKernel& kernel, std::span<const Operand> operands, Dtype compute,
                 Dtype dtype, Dims shape, void* destination)
    : numel_(numel_of(shape)), id_(next_program_id++) {
  SmallVector<Pending::Source, kMaxOperands> sources;
  for (const Operand& o : operands) {
    if (o.tensor.defined() && o.tensor.is_pending()) {
      if (same(o.tensor.shape(), shape)) {
        collect(*Pending::of(o.tensor));
        sources.push_back({o.tensor->pending, {}});
        continue;
      }
      o.tensor.evaluate();
    }
    sources.push_back({nullptr, o});
  }
  choose_stored();
  emit_nodes();
  result_slot_ = emit(kernel, sources, shape, compute, dtype, destination);
  assign_buffers();
}

int Program::find(const PendingState* value) const {
  for (size_t i = 0; i < nodes_.size(); i++)
    if (nodes_[i].value == value) return static_cast<int>(i);
  return -1;
}

// Post-order: operands before users. Depth is bounded by kMaxPendingNodes.
void Program::collect(Pending& p) {
  if (find(&p) >= 0) return;
  for (int i = 0; i < p.count; i++)
    if (to_compute(p.sources[i])) collect(*static_cast<Pending*>(p.sources[i].pending.get()));
  nodes_.push_back({&p});
  for (int i = 0; i < p.count; i++)
    if (to_compute(p.sources[i])) nodes_[find(p.sources[i].pending.get())].uses++;
}

// A value that more than this program's own nodes refer to is wanted by somebody: write it.
void Program::choose_stored() {
  for (Node& node : nodes_) {
    if (node.uses == 0) continue;
    node.stored = node.value->ref_count() > static_cast<uint32_t>(node.uses);
    if (node.stored) node.value->storage->allocate_data();
  }
}

// An operand of any node will do that has the root's bytes and order: each of its elements is read before the root's is
// written, which comes last. Nobody else can see it if all references to it are from this program's nodes, which let go of it.
void Program::write_over_dead_operand(Pending& root) {
  if (root.storage->data()) return;
  SmallVector<const Tensor*, 16> operands;
  for (const Node& node : nodes_)
    for (int i = 0; i < node.value->count; i++)
      if (const Tensor& x = node.value->sources[i].operand.tensor; x.defined())
        operands.push_back(&x);
  for (const Tensor* x : operands) {
    if (!x->is_contiguous() || x->numel() != numel_ || x->is_pending()) continue;
    Storage& donor = *x->storage();
    if (donor.bytes() != root.storage->bytes() || !donor.may_give_data()) continue;
    const auto ours = std::count_if(operands.begin(), operands.end(),
                                    [&](const Tensor* o) { return o->impl() == x->impl(); });
    if ((*x)->ref_count() != static_cast<uint32_t>(ours)) continue;
    loan_.operand = &donor;
    loan_.root = root.storage.get();
    root.storage->share_data(donor);
    return;
  }
}

void Program::emit_nodes() {
  for (Node& node : nodes_) {
    const Pending& p = *node.value;
    node.slot = emit(*p.kernel, {p.sources.data(), p.count}, p.shape, p.compute, p.dtype,
                     node.stored ? p.storage->data() : nullptr);
  }
}

int16_t Program::add_slot(Slot s) {
  slots_.push_back(s);
  return static_cast<int16_t>(slots_.size() - 1);
}

void Program::add_step(Loop loop, int16_t out, std::span<const int16_t> in) {
  Step step{loop, out, static_cast<uint8_t>(in.size()), {}};
  for (size_t i = 0; i < in.size(); i++) {
    step.in[i] = in[i];
    slots_[in[i]].last_use = static_cast<int16_t>(steps_.size());
  }
  steps_.push_back(step);
}

int16_t Program::cast_slot(int16_t slot, Dtype to) {
  const Dtype from = slots_[slot].dtype;
  if (from == to) return slot;
  const int16_t out = add_slot({Place::Temporary, to});
  add_step(cast_loop(from, to), out, std::span(&slot, 1));
  return out;
}

int16_t Program::leaf_slot(const Tensor& x, Dims shape) {
  for (const Leaf& leaf : leaves_)
    if (leaf.impl == x.impl() && same(leaf.shape, shape)) return leaf.slot;
  Slot s{Place::Direct, x.dtype()};
  if (x.is_contiguous() && x.numel() == numel_) {
    s.memory = static_cast<std::byte*>(x.raw());
  } else if (x.numel() == 1) {
    s.place = Place::Fixed;
    s.memory = static_cast<std::byte*>(x.raw());
  } else {
    accesses_.push_back(access(x, shape));
    s.place = Place::Gathered;
    s.access = static_cast<int16_t>(accesses_.size() - 1);
  }
  leaves_.push_back({x.impl(), shape, add_slot(s)});
  return leaves_.back().slot;
}

int16_t Program::source_slot(const Pending::Source& source, Dims shape, Dtype wanted) {
  if (source.pending) {
    if (const int node = find(source.pending.get()); node >= 0)
      return cast_slot(nodes_[node].slot, wanted);
    const Pending& p = *static_cast<Pending*>(source.pending.get());
    Slot s{Place::Direct, p.dtype};
    s.memory = static_cast<std::byte*>(p.storage->data());
    return cast_slot(add_slot(s), wanted);
  }
  if (source.operand.tensor.defined())
    return cast_slot(leaf_slot(source.operand.tensor, shape), wanted);
  Slot s{Place::Fixed, wanted};
  s.scalar = source.operand.scalar;
  return add_slot(s);
}

int16_t Program::emit(const PointwiseKernel& k, std::span<const Pending::Source> sources,
                      Dims shape, Dtype compute, Dtype dtype, void* destination) {
  const auto result = [&](Dtype d) {
    Slot s{destination ? Place::Stored : Place::Temporary, d};
    s.memory = static_cast<std::byte*>(destination);
    return add_slot(s);
  };
  if (k.casts) {
    const auto& source = sources[0];
    const Dtype as_is = source.pending ? static_cast<Pending*>(source.pending.get())->dtype
                                       : source.operand.tensor.dtype();
    const int16_t from = source_slot(source, shape, as_is);
    const int16_t out = result(dtype);
    add_step(cast_loop(slots_[from].dtype, dtype), out, std::span(&from, 1));
    return out;
  }
  std::array<int16_t, kMaxOperands> in;
  for (size_t i = 0; i < sources.size(); i++)
    in[i] = source_slot(sources[i], shape, k.masks >> i & 1 ? Dtype::Bool : compute);
  const Dtype computed = k.result == ResultType::Bool ? Dtype::Bool : compute;
  const int16_t out = computed == dtype ? result(dtype) : add_slot({Place::Temporary, computed});
  add_step(k.loops[static_cast<int>(compute)], out, std::span(in.data(), sources.size()));
  if (computed == dtype) return out;
  const int16_t rounded = result(dtype);
  add_step(cast_loop(computed, dtype), rounded, std::span(&out, 1));
  return rounded;
}

// Linear scan: a buffer is free again after the last step that reads it.
void Program::assign_buffers() {
  if (result_slot_ >= 0) slots_[result_slot_].last_use = INT16_MAX;
  SmallVector<int16_t, 16> free;
  const auto take = [&](Slot& s) {
    if (free.empty()) s.buffer = static_cast<int16_t>(buffers_++);
    else {
      s.buffer = free.back();
      free.pop_back();
    }
  };
  // Fixed tiles are filled before the first step, gathered ones before the steps of each tile: both live throughout.
  for (Slot& s : slots_)
    if (s.place == Place::Fixed || s.place == Place::Gathered) take(s);
  for (size_t i = 0; i < steps_.size(); i++) {
    Slot& out = slots_[steps_[i].out];
    if (out.place == Place::Temporary) take(out);
    for (int j = 0; j < steps_[i].count; j++) {
      Slot& in = slots_[steps_[i].in[j]];
      if (in.place != Place::Temporary || in.last_use != static_cast<int16_t>(i)) continue;
      free.push_back(in.buffer);
      in.last_use = -1;  // named twice by one step: freed once
    }
  }
  // Tiles stay in the first-level cache; fewer of them where little has to.
  if (buffers_ > 6) tile_ = kTile / 2;
  else if (buffers_ <= 2) tile_ = 2 * kTile;
}

// A thread's tiles, the fixed ones filled, and behind them the addresses of the slots.
std::byte* Program::prepared(Buffer<std::byte>& memory) const {
  const int64_t room = room_of(tile_);
  const size_t bytes = static_cast<size_t>(buffers_ * room) + slots_.size() * sizeof(void*) + 64;
  if (memory.size() < bytes) memory.resize(bytes);
  std::byte* base = memory.data() + (-reinterpret_cast<uintptr_t>(memory.data()) & 63);
  const int64_t fill = std::min(numel_, std::max(tile_, kTile));
  for (const Slot& slot : slots_) {
    if (slot.place != Place::Fixed) continue;
    std::byte* tile = base + slot.buffer * room;
    if (slot.memory) {
      kernels::copy_plane({tile, slot.memory, 1, fill, 0, 1, 0, 0}, size_of(slot.dtype));
    } else {
      dispatch(slot.dtype, [&]<class T>() {
        std::fill_n(reinterpret_cast<T*>(tile), fill, slot.scalar.to<T>());
      });
    }
  }
  return base;
}

std::byte* Program::prologue() const {
  for (Scratch& s : scratches)
    if (s.program == id_) return s.base;
  Scratch& s = scratches[next_scratch];
  next_scratch = (next_scratch + 1) % kScratches;
  s.program = 0;
  s.base = prepared(s.room);
  s.program = id_;
  return s.base;
}

// Runs all steps for elements [begin, begin + n). Returns where each slot's are.
void** Program::tile(std::byte* scratch, int64_t begin, int64_t n, void* result) const {
  auto** where = reinterpret_cast<void**>(scratch + buffers_ * room_of(tile_));
  for (size_t i = 0; i < slots_.size(); i++) {
    const Slot& s = slots_[i];
    std::byte* buffer = scratch + s.buffer * room_of(tile_);
    switch (s.place) {
      case Place::Fixed:
      case Place::Temporary: where[i] = buffer; break;
      case Place::Direct:
      case Place::Stored: where[i] = s.memory + begin * size_of(s.dtype); break;
      case Place::Gathered:
        where[i] = const_cast<void*>(accesses_[s.access].read(begin, n, buffer));
        break;
    }
  }
  if (result && slots_[result_slot_].place == Place::Temporary) where[result_slot_] = result;
  for (const Step& step : steps_) {
    void* in[kMaxOperands];
    for (int j = 0; j < step.count; j++) in[j] = where[step.in[j]];
    step.loop(where[step.out], in, n);
  }
  return where;
}

const void* Program::run_tile(int64_t begin, int64_t n, void* buffer) const {
  return tile(prologue(), begin, n, buffer)[result_slot_];
}

// Operands that lie in rows are read in place by tiles that end where their rows do. 0: no operand does, or in rows of
// other lengths than the next, or too short ones.
int64_t Program::row_length() const {
  int64_t row = 0;
  for (const StridedAccess& a : accesses_) {
    if (a.shape.empty() || a.strides.back() != 1) continue;
    if (row != 0 && row != a.shape.back()) return 0;
    row = a.shape.back();
  }
  return row >= kTile / 4 ? row : 0;
}

void Program::run() {
  if (numel_ == 0) return publish();
  // About 30 microseconds of work at one element and step per nanosecond and a third.
  const auto steps = static_cast<int64_t>(steps_.size() + accesses_.size());
  const int64_t chunk = std::max(tile_, 131072 / (steps + 2) / tile_ * tile_);
  if (loan_.operand) return run_over_operand(chunk);
  runtime::parallel_for(numel_, chunk,
                        [&](int64_t begin, int64_t end) { run_tiles(prologue(), begin, end); });
  publish();
}

// Once an operand is written over there is no way back: what an interrupt, or a thread that has no room for its tiles, leaves
// is done here, and published.
void Program::run_over_operand(int64_t chunk) {
  Buffer<std::byte> room;
  std::byte* scratch = prepared(room);
  std::vector<uint8_t> done(static_cast<size_t>((numel_ + chunk - 1) / chunk), 0);
  std::exception_ptr error;
  try {
    runtime::parallel_for(numel_, chunk, [&](int64_t begin, int64_t end) {
      run_tiles(prologue(), begin, end);
      done[static_cast<size_t>(begin / chunk)] = 1;
    });
  } catch (...) {
    error = std::current_exception();
  }
  for (size_t i = 0; error && i < done.size(); i++) {
    const int64_t begin = static_cast<int64_t>(i) * chunk;
    if (!done[i]) run_tiles(scratch, begin, std::min(numel_, begin + chunk));
  }
  publish();
  if (error) std::rethrow_exception(error);
}

void Program::run_tiles(std::byte* scratch, int64_t begin, int64_t end) const {
  const int64_t row = row_length();
  // A row's tiles are of like size.
  const int64_t tiles = (row + tile_ - 1) / tile_;
  const int64_t step = row > 0 ? (row / tiles + 16) & ~int64_t{15} : tile_;
  for (int64_t at = begin; at < end;) {
    int64_t n = std::min(tile_, end - at);
    if (row > 0) n = std::min({n, step, row - at % row});
    tile(scratch, at, n);
    at += n;
  }
}

void Program::publish() {
  if (loan_.operand) loan_.keep();
  // Operands first: a value that lives only through its users' sources goes after them.
  SmallVector<Ref<PendingState>, kMaxPendingNodes>
      stored;  // of an evaluation: no memory is needed that might not be had
  for (Node& node : nodes_) {
    if (!node.stored) continue;
    node.value->done.store(true, std::memory_order_release);
    stored.push_back(Ref<PendingState>::share(node.value));
  }
  for (const auto& value : stored) static_cast<Pending*>(value.get())->release_sources();
}

TileReader::TileReader(const Tensor& x, Dtype dtype)
    : x_(x), numel_(x.numel()), item_(size_of(dtype)) {
  if (x.is_pending()) {
    lock_.emplace();
    if (x.is_pending()) {
      Pending& p = *Pending::of(x);
      // One reference, the tensor's: probably a temporary that nobody will read again, so it is not written.
      // If somebody does, the second reading writes it: at most one computation is repeated.
      const bool store = p.ref_count() > 1 || x->ref_count() > 2 || p.read_once;
      p.read_once = true;
      program_ =
          std::make_unique<Program>(p, dtype, store ? Program::Root::Stored : Program::Root::Read);
      return;
    }
    lock_.reset();
  }
  if (x.dtype() != dtype) {
    program_ = std::make_unique<Program>(x, dtype);
  } else if (x.is_contiguous()) {
    direct_ = static_cast<const std::byte*>(x.raw());
  } else {
    strided_ = access(x, x.shape());
  }
}

TileReader::~TileReader() = default;

const void* TileReader::read(int64_t begin, int64_t n, void* buffer) const {
  if (direct_) return direct_ + begin * item_;
  if (strided_) return strided_->read(begin, n, buffer);
  if (n <= kTile) return program_->run_tile(begin, n, buffer);
  auto* y = static_cast<std::byte*>(buffer);
  for (int64_t done = 0; done < n; done += kTile) {
    const int64_t m = std::min(kTile, n - done);
    std::byte* to = y + done * item_;
    if (const void* from = program_->run_tile(begin + done, m, to); from != to)
      std::memcpy(to, from, m * item_);
  }
  return buffer;
}

void TileReader::finish() {
  if (program_ && lock_) program_->publish();
  lock_.reset();
}

}  // namespace gotorch
