// Parameters, gradients and moments as flat buffers, and what changes them: the optimizer and the schedule of its step
// size. One all-reduce, one fused update and one checkpoint handle all of a network.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <torch/torch.h>

namespace leadsweep {

/// Makes every parameter, its gradient and every floating-point buffer of a module a view of one flat tensor each. The
/// module must stay on its device and keep its element type from then on, and gradients must be zeroed by
/// zero_gradients(): Module::zero_grad would drop the views.
class FlatParameters {
public:
    /// `extra` scalars are appended to the gradients: what else the step's all-reduce carries.
    explicit FlatParameters(torch::nn::Module& module, std::int64_t extra = 0);

    torch::Tensor& values() { return values_; }        ///< [n] parameters, zeros between them for alignment
    torch::Tensor& buffers() { return buffers_; }      ///< [m] BatchNorm statistics
    torch::Tensor& gradients() { return gradients_; }  ///< [n]
    torch::Tensor& reduced() { return reduced_; }      ///< [n + extra]: gradients, then the extra scalars
    torch::Tensor& extra() { return extra_; }          ///< [extra]
    void zero_gradients() { reduced_.zero_(); }

private:
    torch::Tensor values_, buffers_, gradients_, reduced_, extra_;
};

/// Scales gradients to `clip_norm` where their norm is larger (Pascanu et al. 2013, PyTorch's clip_grad_norm_). A norm
/// that is not finite changes nothing. Nothing is read back from the device.
void clip_gradients(torch::Tensor& gradients, double clip_norm);

/// Changes flat parameters by their flat gradients. Its moments are flat tensors under stable names. A step can be
/// captured into a CUDA graph: its step size lies in a tensor of the device.
class Optimizer {
public:
    explicit Optimizer(FlatParameters& parameters);
    virtual ~Optimizer() = default;
    /// The step size of the steps from now on.
    void set_learning_rate(double learning_rate);
    /// One step. On GPUs nothing is changed where `found_inf` (a float32 scalar of the device) is not 0.
    virtual void step(const torch::Tensor& found_inf) = 0;
    /// Tensors to be saved and restored in place.
    virtual std::vector<std::pair<std::string, torch::Tensor>> state() = 0;

protected:
    FlatParameters& parameters_;
    torch::Tensor rate_;  ///< float32 scalar on the device; used by GPUs alone
    double learning_rate_ = 0;
};

/// Adam (Kingma and Ba 2015) with Keras' epsilon, 1e-7, in one fused pass over the flat buffers. With a weight decay it
/// is AdamW (Loshchilov and Hutter 2019), as in PyTorch: weights shrink by learning rate x decay in every step.
class Adam final : public Optimizer {
public:
    explicit Adam(FlatParameters& parameters, double weight_decay = 0);
    void step(const torch::Tensor& found_inf) override;
    std::vector<std::pair<std::string, torch::Tensor>> state() override;

    static constexpr double kBeta1 = 0.9;
    static constexpr double kBeta2 = 0.999;
    static constexpr double kEpsilon = 1e-7;

private:
    double weight_decay_;
    torch::Tensor first_, second_, steps_;
};

/// Stochastic gradient descent with momentum and L2 decay as in PyTorch: v = momentum v + (g + decay w), w -= rate v.
class Sgd final : public Optimizer {
public:
    Sgd(FlatParameters& parameters, double momentum, double weight_decay);
    void step(const torch::Tensor& found_inf) override;
    std::vector<std::pair<std::string, torch::Tensor>> state() override { return {{"sgd.velocity", velocity_}}; }

private:
    double momentum_;
    double weight_decay_;
    torch::Tensor velocity_;
};

/// What the step size of the next epoch may depend on.
struct ScheduleState {
    double first_rate = 0;    ///< train.learning_rate
    double current_rate = 0;  ///< of the epoch just ended
    bool is_gain = false;     ///< whether that epoch was the best so far
    std::int64_t epochs_done = 0;
    std::int64_t epochs = 0;  ///< train.epochs
};

/// The step size of the next epoch.
using Schedule = std::function<double(const ScheduleState&)>;

double constant_rate(const ScheduleState& state);
/// x 0.1 after every epoch without gain (Keras' ReduceLROnPlateau with patience 1, as the study's authors use it).
double plateau_rate(const ScheduleState& state);
/// Half a cosine from the first rate to 0 over all epochs (Loshchilov and Hutter 2017, PyTorch's CosineAnnealingLR).
double cosine_rate(const ScheduleState& state);

}  // namespace leadsweep
