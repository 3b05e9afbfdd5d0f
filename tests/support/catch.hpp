// Catch2 2 (Debian 12) or 3 (Debian 13), whichever is there.
#pragma once

#include <string>

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
inline auto ContainsText(const std::string& text) {
    return Catch::Matchers::ContainsSubstring(text);
}
#else
#include <catch2/catch.hpp>
inline auto ContainsText(const std::string& text) {
    return Catch::Matchers::Contains(text);
}
#endif

#include <iostream>

/// Ends a test that cannot run here. CTest shows it as skipped (SKIP_REGULAR_EXPRESSION), never as passed.
#define LEADSWEEP_SKIP(reason)                           \
    do {                                                 \
        std::cout << "SKIPPED: " << reason << std::endl; \
        return;                                          \
    } while (false)
