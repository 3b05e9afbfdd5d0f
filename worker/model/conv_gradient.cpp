#include "worker/model/conv_gradient.hpp"

#include <tuple>

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

}  // namespace

torch::Tensor conv_on_cpu(const torch::Tensor& input, const torch::Tensor& weight, std::int64_t padding) {
    return ConvOnCpu::apply(input, weight, padding);
}

}  // namespace leadsweep
