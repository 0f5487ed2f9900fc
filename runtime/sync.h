#pragma once
// Go's packages sync, sync/errgroup and sync/semaphore, for goroutines and native threads alike.
#include "runtime/atomic_value.h"
#include "runtime/cond.h"
#include "runtime/err_group.h"
#include "runtime/mutex.h"
#include "runtime/once.h"
#include "runtime/rw_mutex.h"
#include "runtime/semaphore.h"
#include "runtime/wait_group.h"
