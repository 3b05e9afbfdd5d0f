// Settings of the whole process that make training fast. They change no result but that of denormal numbers.
#pragma once

namespace leadsweep {

/// Sets the threads of LibTorch's operators, keeps freed memory instead of giving it back to the system, and flushes
/// denormals to zero. Call once, early in main(), before any tensor is made.
void prepare_process_for_training(int threads);

/// Gives unused memory back to the system: between two jobs of one worker.
void release_unused_memory();

}  // namespace leadsweep
