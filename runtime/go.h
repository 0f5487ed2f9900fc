#pragma once
// All of the runtime that programs use.
#include "runtime/chan.h"
#include "runtime/chaos.h"
#include "runtime/context.h"
#include "runtime/interrupt.h"
#include "runtime/io/net.h"
#include "runtime/parallel.h"
#include "runtime/scope.h"
#include "runtime/select.h"
#include "runtime/simulate.h"
#include "runtime/stage.h"
#include "runtime/sync.h"
#include "runtime/timer.h"
