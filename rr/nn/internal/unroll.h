#pragma once

// Before a loop over sums: they stay in registers only while every index into them is a constant.
#if defined(__clang__)
#define RR_UNROLL _Pragma("unroll")
#else
#define RR_UNROLL _Pragma("GCC unroll 8")
#endif
