/* Step lists: order, arguments, faults and times; and a recurrent layer's products, which come from elsewhere. */
#include <stdio.h>
#include <string.h>

#include "hadal.h"
#include "hadal_step.h"

namespace {

int failures = 0;

void check(bool ok, const char* what) {
    if (ok) return;
    failures++;
    printf("FAILED: %s\n", what);
}

char trace[100];

void append(char a, double b, const char* c, int64_t d) {
    snprintf(trace + strlen(trace), sizeof trace - strlen(trace), "%c%g%s%lld ", a, b, c, (long long)d);
}

int64_t fail_if(const int64_t* fault) { return *fault; }

void wait_a_little() {
    volatile double x = 1;
    for (int i = 0; i < 1000000; i++) x = x * 1.0000001;
}

/** A primitive is a pointer to its name; its status is the number of its arguments. */
int fake_execute(const void* primitive, void* stream, int count, const void* arguments) {
    append('p', *(const double*)stream, (const char*)primitive, *(const int64_t*)arguments);
    return count;
}

void test_an_empty_list() {
    hadal_steps* steps = hadal_steps_create();
    check(hadal_steps_count(steps) == 0, "no steps");
    check(hadal_steps_run(steps, 1, nullptr) == -1, "an empty list runs");
    hadal_steps_destroy(steps);
}

void test_steps_run_in_order_with_their_arguments() {
    hadal_steps* steps = hadal_steps_create();
    double stream = 7;
    int64_t argument = 8;
    hadal_step<append>::add(steps, 'a', 0.5, "x", 1);
    hadal_step<hadal_execute>::add(steps, fake_execute, "prim", &stream, 0, &argument);
    hadal_step<append>::add(steps, 'b', 1.5, "y", int64_t{1} << 40);
    check(hadal_steps_count(steps) == 3, "three steps");
    for (int run = 0; run < 2; run++) {
        trace[0] = 0;
        check(hadal_steps_run(steps, 0, nullptr) == -1, "all ran");
        check(strcmp(trace, "a0.5x1 p7prim8 b1.5y1099511627776 ") == 0, trace);
    }
    hadal_steps_destroy(steps);
}

void test_a_fault_stops_the_run() {
    hadal_steps* steps = hadal_steps_create();
    int64_t first = HADAL_FINE, second = 0;
    double stream = 7;
    int64_t argument = 8;
    hadal_step<fail_if>::add(steps, &first);
    hadal_step<fail_if>::add(steps, &second);
    hadal_step<append>::add(steps, 'a', 0.5, "x", 1);
    hadal_step<hadal_execute>::add(steps, fake_execute, "prim", &stream, 3, &argument);
    trace[0] = 0;
    check(hadal_steps_run(steps, 1, nullptr) == 1 && hadal_steps_fault(steps) == 0, "the second fails, with 0");
    first = 42;
    check(hadal_steps_run(steps, 1, nullptr) == 0 && hadal_steps_fault(steps) == 42, "the first fails, with 42");
    check(strcmp(trace, "") == 0, "nothing runs after a fault");
    first = second = HADAL_FINE;
    check(hadal_steps_run(steps, 1, nullptr) == 3 && hadal_steps_fault(steps) == 3, "a primitive fails by its status");
    check(strcmp(trace, "a0.5x1 p7prim8 ") == 0, trace);
    hadal_steps_destroy(steps);
}

void test_times() {
    hadal_steps* steps = hadal_steps_create();
    hadal_step<append>::add(steps, 'a', 0.5, "x", 1);
    hadal_step<wait_a_little>::add(steps);
    hadal_step<append>::add(steps, 'a', 0.5, "x", 1);
    int64_t nanos[] = {-1, -1, -1, -1};
    trace[0] = 0;
    check(hadal_steps_run(steps, 1, nanos) == -1, "all ran");
    check(nanos[0] >= 0 && nanos[1] > 100000 && nanos[2] >= 0, "a time for each step");
    check(nanos[1] > nanos[0] && nanos[1] > nanos[2], "the one that waits takes longest");
    check(nanos[3] == -1, "and no more");
    hadal_steps_destroy(steps);
}

void test_threads() {
    hadal_steps* steps = hadal_steps_create();
    hadal_steps_run(steps, 3, nullptr);
    check(hadal_threads() == 3, "three threads");
    hadal_steps_run(steps, 0, nullptr);
    check(hadal_threads() == 3, "0 changes nothing");
    hadal_steps_run(steps, 2, nullptr);
    check(hadal_threads() == 2, "two threads");
    hadal_steps_destroy(steps);
}

int products = 0, status_of_product = 0, product_that_fails = -1;

int fake_sgemm(char, char, int64_t, int64_t, int64_t, float, const float*, int64_t, const float*, int64_t, float,
               float* c, int64_t) {
    c[0] = 0;
    return products++ == product_that_fails ? status_of_product : 0;
}

/** That the products are right, and the cells, Hadal's specifications test with oneDNN's; this, that a failure is told. */
void test_a_failing_product_ends_a_recurrent_layer() {
    float x[4] = {}, w[4] = {}, bias[4] = {}, y[4] = {}, h[4] = {}, results[16] = {}, scratch[64] = {};
    auto forward = [&] {
        products = 0;
        return hadal_recurrent(fake_sgemm, HADAL_RNN_TANH, 0, 1, 4, 1, 1, nullptr, x, nullptr, nullptr, w, w, bias, bias,
                               y, h, nullptr, nullptr, scratch);
    };
    auto backward = [&] {
        products = 0;
        return hadal_recurrent_backward(fake_sgemm, HADAL_RNN_TANH, 0, 1, 4, 1, 1, nullptr, x, nullptr, nullptr, w, w, y,
                                        nullptr, nullptr, nullptr, nullptr, results, nullptr, nullptr, results + 4,
                                        results + 5, results + 6, results + 7, scratch);
    };
    check(forward() == HADAL_FINE && products == 5, "a product with the input, and one for each step");
    check(backward() == HADAL_FINE && products == 7, "one for each step, and three for all");
    status_of_product = 5;
    for (product_that_fails = 0; product_that_fails < 5; product_that_fails++)
        check(forward() == 5 && products == product_that_fails + 1, "forward ends with the product that fails");
    for (product_that_fails = 0; product_that_fails < 7; product_that_fails++)
        check(backward() == 5 && products == product_that_fails + 1, "backward ends with the product that fails");
}

}  // namespace

int main() {
    test_an_empty_list();
    test_steps_run_in_order_with_their_arguments();
    test_a_fault_stops_the_run();
    test_times();
    test_threads();
    test_a_failing_product_ends_a_recurrent_layer();
    printf(failures == 0 ? "all passed\n" : "%d checks failed\n", failures);
    return failures == 0 ? 0 : 1;
}
