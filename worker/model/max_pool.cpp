#include "worker/model/max_pool.hpp"

#include <ATen/Parallel.h>

#include "worker/model/max_pool_rows.hpp"

namespace leadsweep {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

/// Calls body(first element of the record) for all records, on all threads.
template <class Body>
void for_each_record(const torch::Tensor& image, Body&& body) {
    const std::int64_t numbers = image.size(1) * image.size(3);
    at::parallel_for(0, image.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t record = begin; record < end; ++record) body(record * numbers);
    });
}

template <class Number>
void pool(const torch::Tensor& input, torch::Tensor& output) {
    const auto* in = input.const_data_ptr<Number>();
    auto* out = output.mutable_data_ptr<Number>();
    for_each_record(input, [&](std::int64_t at) { max_pool_rows(in + at, input.size(3), input.size(1), out + at); });
}

template <class Number>
void pool_gradient(const torch::Tensor& input, const torch::Tensor& slopes, torch::Tensor& output) {
    const auto* in = input.const_data_ptr<Number>();
    const auto* of_windows = slopes.const_data_ptr<Number>();
    auto* out = output.mutable_data_ptr<Number>();
    for_each_record(input, [&](std::int64_t at) {
        max_pool_gradient_rows(in + at, of_windows + at, input.size(3), input.size(1), out + at);
    });
}

class MaxPoolOnCpu : public Function<MaxPoolOnCpu> {
public:
    static torch::Tensor forward(AutogradContext* context, const torch::Tensor& input) {
        context->save_for_backward({input});
        auto output = torch::empty_like(input, {}, torch::MemoryFormat::ChannelsLast);
        if (input.scalar_type() == torch::kFloat64)
            pool<double>(input, output);
        else
            pool<float>(input, output);
        return output;
    }

    static variable_list backward(AutogradContext* context, variable_list gradients) {
        const auto input = context->get_saved_variables()[0];
        const auto slopes = gradients[0].contiguous(torch::MemoryFormat::ChannelsLast);
        auto output = torch::empty_like(input, {}, torch::MemoryFormat::ChannelsLast);
        if (input.scalar_type() == torch::kFloat64)
            pool_gradient<double>(input, slopes, output);
        else
            pool_gradient<float>(input, slopes, output);
        return {output};
    }
};

}  // namespace

torch::Tensor max_pool_3_on_cpu(const torch::Tensor& input) {
    return MaxPoolOnCpu::apply(input.contiguous(torch::MemoryFormat::ChannelsLast));
}

}  // namespace leadsweep
