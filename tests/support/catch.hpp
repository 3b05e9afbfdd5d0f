// Catch2 2 (Debian 12) or 3 (Debian 13), whichever is there.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif

#include <iostream>

/// Ends a test that cannot run here. CTest shows it as skipped (SKIP_REGULAR_EXPRESSION), never as passed.
#define LEADSWEEP_SKIP(reason)                           \
    do {                                                 \
        std::cout << "SKIPPED: " << reason << std::endl; \
        return;                                          \
    } while (false)
