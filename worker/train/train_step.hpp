// One step of training: gradients of the global batch, summed over ranks, and the update. What becomes of its loss over
// epochs is told in trainer.hpp.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "worker/comm/communicator.hpp"
#include "worker/model/model.hpp"
#include "worker/train/batches.hpp"
#include "worker/train/loss.hpp"
#include "worker/train/optimizer.hpp"
#include "worker/train/step_graph.hpp"

namespace leadsweep {

/// The named alternatives a spec asks for (worker/registry.hpp makes them).
struct TrainParts {
    Loss loss;
    /// Whether the loss of a batch is no sum over its records: micro-batches then need two passes.
    bool is_loss_batch_coupled = false;
    std::function<std::unique_ptr<Optimizer>(FlatParameters&)> make_optimizer;
    Schedule schedule;
};

struct StepSettings {
    double clip_norm = 0;     ///< 0: gradients are not clipped
    bool is_bf16 = false;     ///< the network's convolutions and products in bfloat16
    bool is_graphed = false;  ///< GPUs alone: replayed as a CUDA graph from the fourth step of each shape on
};

struct StepOutcome {
    double loss = 0;  ///< of the global batch
    bool is_finite = true;
    bool is_stop_wanted = false;  ///< by any rank
};

class TrainStep {
public:
    /// Everything must outlive the step.
    TrainStep(Model& model, const TrainParts& parts, Communicator& communicator, StepSettings settings);
    ~TrainStep();

    /// Collective: queues the step. On GPUs it returns at once.
    void start(Batch batch, bool wants_stop);
    /// Collective: waits for the step. Where it was not finite, the weights are of no use any more on CPUs and
    /// unchanged on GPUs.
    StepOutcome finish();
    /// Collective, after a step that was not finite: throws JobError that names record, tensor and the first that went
    /// wrong. kInvalid where a record's samples are at fault, else kDiverged; `where` says which step it was.
    [[noreturn]] void throw_not_finite(const std::string& where);

    /// Gradients of one batch, summed over ranks, without an update: for measurements and tests.
    double gradients_of(const Batch& batch);

    void set_learning_rate(double learning_rate) { optimizer_->set_learning_rate(learning_rate); }
    FlatParameters& parameters() { return parameters_; }
    Optimizer& optimizer() { return *optimizer_; }

private:
    struct Shape {
        std::unique_ptr<StepGraph> graph;
        Batch fixed;  ///< the memory that the graph reads
        int eager_steps = 0;
        bool is_eager_for_ever = false;
    };

    void compute(const Batch& batch);
    void add_gradients(const Batch& batch);
    void add_gradients_of_coupled_loss(const Batch& batch);
    torch::Tensor forward(const BatchPart& part);
    torch::Tensor targets_on_device(const BatchPart& part) const;
    void update();
    void replay(Shape& shape);

    Model& model_;
    const TrainParts& parts_;
    Communicator& communicator_;
    StepSettings settings_;
    FlatParameters parameters_;
    std::unique_ptr<Optimizer> optimizer_;
    torch::Tensor stop_wanted_;          ///< [1] on the device
    torch::Tensor found_inf_;            ///< float32 scalar on the device
    std::vector<torch::Tensor> logits_;  ///< of the parts of the last batch
    Batch current_;
    std::map<std::pair<std::int64_t, std::int64_t>, Shape> shapes_;  ///< by this rank's and all records
};

}  // namespace leadsweep
