#pragma once
#include "tensor/op.h"
namespace gotorch::ops {
extern const Op add, mul;
}
