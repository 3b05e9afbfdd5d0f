#include "worker/model/cpu_layers.hpp"

#include <ATen/Parallel.h>

#include <functional>
#include <tuple>
#include <vector>

#include "worker/model/cpu_kernels.hpp"

namespace leadsweep {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

/// The samples of an image as rows [total, C]: those of record b begin at row b * stride + lead; zeros in all other
/// rows.
torch::Tensor as_rows(const torch::Tensor& image, std::int64_t lead, std::int64_t stride, std::int64_t total) {
    const std::int64_t records = image.size(0);
    const std::int64_t samples = image.size(3);
    auto rows = torch::empty({total, image.size(1)}, torch::dtype(image.scalar_type()));
    auto by_record = rows.slice(0, 0, records * stride).view({records, stride, image.size(1)});
    by_record.slice(1, 0, lead).zero_();
    by_record.slice(1, lead, lead + samples).copy_(image.squeeze(2).transpose(1, 2));
    by_record.slice(1, lead + samples).zero_();
    rows.slice(0, records * stride).zero_();
    return rows;
}

/// Gradient of the weights [out, in, 1, k]: the sum over rows n of gradient[n] times each of the k input rows that went
/// into it. With zeros between records these are the rows n to n + k - 1, one stretch of memory. The stretches of n,
/// n + k, n + 2k, ... do not overlap and so are a matrix as they lie there: k matrix products do all the work.
torch::Tensor weight_gradient(const torch::Tensor& input, const torch::Tensor& gradient, std::int64_t kernel,
                              std::int64_t padding) {
    const std::int64_t in = input.size(1);
    const std::int64_t out = gradient.size(1);
    const std::int64_t stride = input.size(3) + padding;
    const std::int64_t used = input.size(0) * stride;
    const std::int64_t stretches = (used + kernel - 1) / kernel;
    const auto inputs = as_rows(input, padding, stride, used + 2 * kernel);
    const auto gradients = as_rows(gradient, 0, stride, used + kernel);
    auto sum = torch::zeros({out, kernel * in}, inputs.options());
    for (std::int64_t first = 0; first < kernel; ++first) {
        const auto x = inputs.as_strided({stretches, kernel * in}, {kernel * in, 1}, first * in);
        const auto dy = gradients.as_strided({stretches, out}, {kernel * out, 1}, first * out);
        sum.addmm_(dy.t(), x);
    }
    return sum.view({out, kernel, in}).transpose(1, 2).unsqueeze(2);
}

class ConvOnCpu : public Function<ConvOnCpu> {
public:
    static torch::Tensor forward(AutogradContext* context, const torch::Tensor& input, const torch::Tensor& weight,
                                 std::int64_t padding) {
        context->save_for_backward({input, weight});
        context->saved_data["padding"] = padding;
        return torch::conv2d(input, weight, {}, at::IntArrayRef{1, 1}, at::IntArrayRef{0, padding});
    }

    static variable_list backward(AutogradContext* context, variable_list output_gradients) {
        const auto saved = context->get_saved_variables();
        const auto& [input, weight] = std::tie(saved[0], saved[1]);
        const std::int64_t padding = context->saved_data["padding"].toInt();
        const auto& gradient = output_gradients[0];
        torch::Tensor input_gradient;
        if (context->needs_input_grad(0))
            input_gradient = std::get<0>(at::convolution_backward(
                gradient.contiguous(torch::MemoryFormat::ChannelsLast), input, weight, /*bias_sizes=*/{},
                /*stride=*/{1, 1}, {0, padding}, /*dilation=*/{1, 1}, /*transposed=*/false, /*output_padding=*/{0, 0},
                /*groups=*/1, /*output_mask=*/{true, false, false}));
        return {input_gradient, weight_gradient(input, gradient, weight.size(3), padding), {}};
    }
};

const float* floats(const torch::Tensor& tensor) {
    return tensor.const_data_ptr<float>();
}

/// Calls body(b, offset of record b's first value) for all records, divided among the threads.
void for_each_record(const torch::Tensor& image, const std::function<void(std::int64_t, std::int64_t)>& body) {
    const std::int64_t values = image.size(1) * image.size(3);
    at::parallel_for(0, image.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t record = begin; record < end; ++record) body(record, record * values);
    });
}

kernels::Extent extent_of(const torch::Tensor& image) {
    return {image.size(3), image.size(1)};
}

/// Sum over records, in their order, of what add(values of one record, sums [width]) adds: the same for any number of
/// threads.
torch::Tensor sum_over_records(const torch::Tensor& image, std::int64_t width,
                               const std::function<void(std::int64_t, double*)>& add) {
    auto sums = torch::zeros({image.size(0), width}, torch::kFloat64);
    double* first = sums.mutable_data_ptr<double>();
    for_each_record(image, [&](std::int64_t record, std::int64_t offset) { add(offset, first + record * width); });
    return sums.sum(0);
}

class MaxPool3 : public Function<MaxPool3> {
public:
    static torch::Tensor forward(AutogradContext* context, const torch::Tensor& input) {
        context->save_for_backward({input});
        auto output = torch::empty_like(input);
        float* out = output.mutable_data_ptr<float>();
        for_each_record(input, [&](std::int64_t, std::int64_t offset) {
            kernels::max_of_three(floats(input) + offset, extent_of(input), out + offset);
        });
        return output;
    }

    static variable_list backward(AutogradContext* context, variable_list output_gradients) {
        const auto input = context->get_saved_variables()[0];
        const auto gradient = output_gradients[0].contiguous(torch::MemoryFormat::ChannelsLast);
        auto input_gradient = torch::empty_like(input);
        float* out = input_gradient.mutable_data_ptr<float>();
        for_each_record(input, [&](std::int64_t, std::int64_t offset) {
            kernels::max_of_three_gradient(floats(input) + offset, floats(gradient) + offset, extent_of(input),
                                           out + offset);
        });
        return {input_gradient};
    }
};

class NormRelu : public Function<NormRelu> {
public:
    static variable_list forward(AutogradContext* context, const torch::Tensor& input, const torch::Tensor& weight,
                                 const torch::Tensor& bias, double epsilon) {
        const std::int64_t channels = input.size(1);
        const auto count = static_cast<double>(input.numel() / channels);
        const auto mean = (sum_over_records(input, channels,
                                            [&](std::int64_t offset, double* sums) {
                                                kernels::add_sums(floats(input) + offset, extent_of(input), sums);
                                            }) /
                           count)
                              .to(torch::kFloat32);
        const auto variance =
            sum_over_records(input, channels,
                             [&](std::int64_t offset, double* sums) {
                                 kernels::add_squares(floats(input) + offset, floats(mean), extent_of(input), sums);
                             }) /
            count;
        const auto inverse_sd = (variance + epsilon).rsqrt().to(torch::kFloat32);
        const auto scale = (weight * inverse_sd).contiguous();
        const auto shift = (bias - mean * scale).contiguous();
        auto output = torch::empty_like(input);
        float* out = output.mutable_data_ptr<float>();
        for_each_record(input, [&](std::int64_t, std::int64_t offset) {
            kernels::affine_relu(floats(input) + offset, {floats(scale), floats(shift)}, extent_of(input),
                                 out + offset);
        });
        context->save_for_backward({input, mean, inverse_sd, scale, shift});
        const auto variance32 = variance.to(torch::kFloat32);
        context->mark_non_differentiable({mean, variance32});
        return {output, mean, variance32};
    }

    static variable_list backward(AutogradContext* context, variable_list output_gradients) {
        const auto saved = context->get_saved_variables();
        const auto& [input, mean, inverse_sd, scale, shift] =
            std::tie(saved[0], saved[1], saved[2], saved[3], saved[4]);
        const auto gradient = output_gradients[0].contiguous(torch::MemoryFormat::ChannelsLast);
        const std::int64_t channels = input.size(1);
        const auto count = static_cast<double>(input.numel() / channels);
        const kernels::Affine affine{floats(scale), floats(shift)};
        const auto sums = sum_over_records(input, 2 * channels, [&](std::int64_t offset, double* both) {
            kernels::add_gradient_sums(floats(input) + offset, floats(gradient) + offset, affine, floats(mean),
                                       extent_of(input), both, both + channels);
        });
        const auto bias_gradient = sums.slice(0, 0, channels);
        const auto weight_gradient = sums.slice(0, channels) * inverse_sd;
        const auto offset_term = (-scale * (bias_gradient / count)).to(torch::kFloat32);
        const auto slope = (-scale * inverse_sd * (weight_gradient / count)).to(torch::kFloat32);
        auto input_gradient = torch::empty_like(input);
        float* out = input_gradient.mutable_data_ptr<float>();
        for_each_record(input, [&](std::int64_t, std::int64_t offset) {
            kernels::input_gradient(floats(input) + offset, floats(gradient) + offset, affine,
                                    {floats(mean), floats(slope), floats(offset_term)}, extent_of(input), out + offset);
        });
        return {input_gradient, weight_gradient.to(torch::kFloat32), bias_gradient.to(torch::kFloat32), {}};
    }
};

}  // namespace

bool suits_cpu_loops(const torch::Tensor& image) {
    return image.is_cpu() && image.scalar_type() == torch::kFloat32 && image.size(2) == 1 &&
           image.is_contiguous(torch::MemoryFormat::ChannelsLast);
}

torch::Tensor max_pool_3_on_cpu(const torch::Tensor& input) {
    return MaxPool3::apply(input);
}

NormalisedRelu norm_relu_on_cpu(const torch::Tensor& input, const torch::Tensor& weight, const torch::Tensor& bias,
                                double epsilon) {
    const auto results = NormRelu::apply(input, weight, bias, epsilon);
    return {results[0], results[1], results[2]};
}

torch::Tensor conv_on_cpu(const torch::Tensor& input, const torch::Tensor& weight, std::int64_t padding) {
    return ConvOnCpu::apply(input, weight, padding);
}

}  // namespace leadsweep
