// SIGINT, SIGTERM and SIGUSR1 as facts: the first asks for an orderly end, the second for one at once.
#pragma once

namespace leadsweep {

class Interruption {
public:
    /// Installs the handlers; the earlier ones come back at the end of the object's life. One object at a time.
    Interruption();
    ~Interruption();
    Interruption(const Interruption&) = delete;
    Interruption& operator=(const Interruption&) = delete;

    /// How many signals have come.
    int count() const;
};

}  // namespace leadsweep
