// The smallest thing a native test needs: a check that says where it failed, and a count of failures to return from main.
#pragma once

#include <cstdio>

inline int failures = 0;

#define EXPECT(condition)                                                                              \
  do {                                                                                                 \
    if (!(condition)) std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition), ++failures; \
  } while (false)
