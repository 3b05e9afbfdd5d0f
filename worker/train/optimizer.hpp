// Parameters, gradients and moments as flat buffers, and what changes them: the optimizer and the schedule of its step
// size. One all-reduce, one fused update and one checkpoint handle all of a network.
#pragma once

#include <cstdint>
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

    torch::Tensor& values() { return values_; }        ///< [n] parameters
    torch::Tensor& buffers() { return buffers_; }      ///< [m] BatchNorm statistics
    torch::Tensor& gradients() { return gradients_; }  ///< [n]
    torch::Tensor& reduced() { return reduced_; }      ///< [n + extra]: gradients, then the extra scalars
    torch::Tensor& extra() { return extra_; }          ///< [extra]
    void zero_gradients() { reduced_.zero_(); }

private:
    torch::Tensor values_, buffers_, gradients_, reduced_, extra_;
};

/// Changes flat parameters by their flat gradients. Its moments are flat tensors under stable names.
class Optimizer {
public:
    virtual ~Optimizer() = default;
    virtual void step(double learning_rate) = 0;
    /// Tensors to be saved and restored in place.
    virtual std::vector<std::pair<std::string, torch::Tensor>> state() = 0;
};

/// Adam (Kingma and Ba 2015) with Keras' epsilon, 1e-7, in one fused pass over the flat buffers.
class Adam final : public Optimizer {
public:
    explicit Adam(FlatParameters& parameters);
    void step(double learning_rate) override;
    std::vector<std::pair<std::string, torch::Tensor>> state() override;

    static constexpr double kBeta1 = 0.9;
    static constexpr double kBeta2 = 0.999;
    static constexpr double kEpsilon = 1e-7;

private:
    FlatParameters& parameters_;
    torch::Tensor first_, second_, steps_;
};

/// The step size of the next epoch.
class Schedule {
public:
    virtual ~Schedule() = default;
    /// `is_gain`: whether the epoch just ended was the best so far.
    virtual double next(double learning_rate, bool is_gain) const = 0;
};

class ConstantSchedule final : public Schedule {
public:
    double next(double learning_rate, bool) const override { return learning_rate; }
};

/// x 0.1 after every epoch without gain (Keras' ReduceLROnPlateau with patience 1, as the study's authors use it).
class PlateauSchedule final : public Schedule {
public:
    double next(double learning_rate, bool is_gain) const override {
        return is_gain ? learning_rate : 0.1 * learning_rate;
    }
};

}  // namespace leadsweep
