// Owns the precompiled torch header (worker/CMakeLists.txt); holds no code.
