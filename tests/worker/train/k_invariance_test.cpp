// Training by k workers is the same mathematics as training by one: measured on the real step, over TCP, for every
// loss; and the measure finds the mistakes that people make.
#include "tests/worker/train/training_run.hpp"

using namespace leadsweep;
using namespace leadsweep::test;

namespace {

enum class Mistake { kNone, kLocalNorm, kLocalLossAveraged, kGradientTimesRanks };

struct Setting {
    std::string loss = "bce";
    torch::ScalarType type = torch::kFloat64;
    std::int64_t batch = 8;  ///< of 36 records: batches of 7 and 8, divided by 2 and 4 into unequal shares
    std::int64_t micro_batch = 0;
    Mistake mistake = Mistake::kNone;
    int steps = 20;
};

struct Course {
    double first_loss = 0;
    torch::Tensor first_gradient;
    torch::Tensor first_statistics;
    torch::Tensor weights;  ///< after all steps
    torch::Tensor statistics;
    bool is_equal_on_all_ranks = true;
};

Loss with_mistake(const Loss& right, const Setting& setting, int ranks) {
    if (setting.mistake == Mistake::kLocalLossAveraged)
        return [right, ranks](const torch::Tensor& logits, const torch::Tensor& targets, std::int64_t, Communicator&) {
            return right(logits, targets, logits.size(0), *make_local_communicator()) / ranks;
        };
    if (setting.mistake == Mistake::kGradientTimesRanks)
        return [right, ranks](const torch::Tensor& logits, const torch::Tensor& targets, std::int64_t batch,
                              Communicator& gang) { return ranks * right(logits, targets, batch, gang); };
    return right;
}

Course course_of(const Setting& setting, int ranks) {
    Course course;
    std::vector<torch::Tensor> ends(static_cast<std::size_t>(ranks));
    run_gang(ranks, [&](Communicator& gang) {
        Run run;
        run.spec.loss = setting.loss;
        run.spec.train.optimizer = "sgd";
        run.spec.train.momentum = 0;
        const auto model = make_model(run.spec, 3);
        model->to(setting.type);
        model->train();
        auto parts = make_train_parts(run.spec);
        parts.loss = with_mistake(parts.loss, setting, ranks);
        TrainStep step(*model, parts, gang, {});
        if (setting.mistake == Mistake::kLocalNorm) model->synchronise_batch_norm(nullptr);
        step.set_learning_rate(0.05);
        const TrainData data = run.data();
        BatchSource batches(data, {setting.batch, setting.micro_batch, gang.rank(), ranks, torch::kCPU, setting.type});
        Course mine;
        for (int done = 0; done < setting.steps; ++done) {
            const auto in_epoch = done % batches.count();
            if (in_epoch == 0) batches.begin_epoch(1 + done / batches.count(), 0);
            step.start(batches.next(), false);
            const double loss = step.finish().loss;
            if (done > 0) continue;
            mine.first_loss = loss;
            mine.first_gradient = step.parameters().gradients().clone();
            mine.first_statistics = step.parameters().buffers().clone();
        }
        mine.weights = step.parameters().values().clone();
        mine.statistics = step.parameters().buffers().clone();
        ends[static_cast<std::size_t>(gang.rank())] = torch::cat({mine.weights, mine.statistics});
        if (gang.rank() == 0) course = mine;
    });
    for (const auto& end : ends) course.is_equal_on_all_ranks &= torch::equal(end, ends.front());
    return course;
}

void check_same_mathematics(const Course& several, const Course& one) {
    constexpr double kBar = 1e-9;
    CHECK(std::abs(several.first_loss - one.first_loss) < kBar * std::abs(one.first_loss));
    CHECK(relative_difference(several.first_gradient, one.first_gradient) < kBar);
    CHECK(relative_difference(several.first_statistics, one.first_statistics) < kBar);
    CHECK(relative_difference(several.weights, one.weights) < kBar);
    CHECK(relative_difference(several.statistics, one.statistics) < kBar);
    CHECK(several.is_equal_on_all_ranks);
}

constexpr const char* kLosses[] = {"bce", "focal", "soft_f1", "double_soft_f1"};

}  // namespace

TEST_CASE("k_invariance: in float64, 1, 2 and 4 workers compute the same to 1e-9", "[train][k_invariance]") {
    Setting setting;
    setting.loss = GENERATE(from_range(std::begin(kLosses), std::end(kLosses)));
    CAPTURE(setting.loss);
    const Course one = course_of(setting, 1);
    for (const int ranks : {2, 4}) {
        CAPTURE(ranks);
        check_same_mathematics(course_of(setting, ranks), one);
    }
}

TEST_CASE("k_invariance: batches smaller than the gang leave ranks without records", "[train][k_invariance]") {
    Setting setting;
    setting.loss = GENERATE(from_range(std::begin(kLosses), std::end(kLosses)));
    setting.batch = 3;
    CAPTURE(setting.loss);
    const Course one = course_of(setting, 1);
    for (const int ranks : {2, 4, 5}) {
        CAPTURE(ranks);
        check_same_mathematics(course_of(setting, ranks), one);
    }
}

TEST_CASE("k_invariance: micro-batches are cut before they are shared out", "[train][k_invariance]") {
    Setting setting;
    setting.loss = GENERATE(from_range(std::begin(kLosses), std::end(kLosses)));
    setting.micro_batch = 3;
    CAPTURE(setting.loss);
    const Course one = course_of(setting, 1);
    for (const int ranks : {2, 4}) {
        CAPTURE(ranks);
        check_same_mathematics(course_of(setting, ranks), one);
    }
}

TEST_CASE("k_invariance: in float32 the first gradient agrees to 1e-5", "[train][k_invariance]") {
    Setting setting;
    setting.loss = GENERATE(from_range(std::begin(kLosses), std::end(kLosses)));
    setting.type = torch::kFloat32;
    setting.steps = 1;
    CAPTURE(setting.loss);
    const Course one = course_of(setting, 1);
    for (const int ranks : {2, 4}) {
        CAPTURE(ranks);
        const Course several = course_of(setting, ranks);
        CHECK(relative_difference(several.first_gradient, one.first_gradient) < 1e-5);
        CHECK(std::abs(several.first_loss - one.first_loss) < 1e-5);
    }
}

TEST_CASE("k_invariance: controls with the usual mistakes fail", "[train][k_invariance]") {
    Setting setting;
    setting.loss = GENERATE(from_range(std::begin(kLosses), std::end(kLosses)));
    setting.type = GENERATE(torch::kFloat64, torch::kFloat32);
    setting.steps = 1;
    CAPTURE(setting.loss, setting.type);
    const bool is_coupled = setting.loss == "soft_f1" || setting.loss == "double_soft_f1";
    const Course one = course_of(setting, 1);
    for (const int ranks : {2, 4}) {
        CAPTURE(ranks);
        const auto error_of = [&](Mistake mistake) {
            Setting wrong = setting;
            wrong.mistake = mistake;
            return relative_difference(course_of(wrong, ranks).first_gradient, one.first_gradient);
        };
        CHECK(error_of(Mistake::kLocalNorm) > 1e-3);
        CHECK(error_of(Mistake::kGradientTimesRanks) > 0.5);
        if (is_coupled) CHECK(error_of(Mistake::kLocalLossAveraged) > 1e-3);
    }
}
