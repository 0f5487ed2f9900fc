#pragma once
// All of the runtime that programs use.
#include "runtime/blocking.h"
#include "runtime/chan.h"
#include "runtime/context.h"
#include "runtime/handle.h"
#include "runtime/interrupt.h"
#include "runtime/parallel.h"
#include "runtime/scope.h"
#include "runtime/select.h"
#include "runtime/stage.h"
#include "runtime/sync.h"
#include "runtime/timer.h"
