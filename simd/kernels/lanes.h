/* MCV_LANES floats at a time, on any instruction set: what kernels are written with that go along rows.
 *
 * mcv_floats holds 16 floats in one register or in several; the operations on it are those of IEEE 754 on each, so that
 * a kernel gives the same bits whatever the registers. Included by the variants of an instruction set (each header
 * below says what it is for); elsewhere it is plain C.
 *
 *     mcv_floats mcv_floats_load(p), _load_part(p, count): the first count, zeros behind; the rest is not touched
 *     mcv_floats_store(p, a), _store_part(p, a, count)
 *     mcv_floats_load_bf16(p), _load_f16(p), _load_i8(p), and _part: widened
 *     mcv_floats_set(x): x in each lane; _first(a, count): the others become 0
 *     _add _subtract _multiply _divide (a, b), _fma(a, b, c): a b + c, rounded once, _negate(a), _abs(a), _round(a):
 *     to even, _copysign(a, b): the size of a, the sign of b
 *     _larger(a, b): a where b is NaN; a is not
 *     _scale(a, n): a 2^n for integers n in [-126, 127]; any number elsewhere
 *     mcv_mask _less(a, b), _less_equal(a, b): false for NaN; _select(mask, a, b): a where true
 *     float _tree_sum(a): kernel_math.h's, _largest(a): the largest lane, none is NaN */
#ifndef MCV_SIMD_KERNELS_LANES_H
#define MCV_SIMD_KERNELS_LANES_H

#if defined(__AVX512F__)
#include "simd/kernels/lanes_avx512.h"
#elif defined(__AVX2__)
#include "simd/kernels/lanes_avx2.h"
#elif defined(__aarch64__)
#include "simd/kernels/lanes_neon.h"
#else
#include "simd/kernels/lanes_plain.h"
#endif

/* How many of `left` elements a step takes. */
MCV_INLINE size_t mcv_step(size_t left) {
    return left < MCV_LANES ? left : MCV_LANES;
}

/* The elements of a step: all lanes, or the first of them. */
MCV_INLINE mcv_floats mcv_floats_load_step(const float *p, size_t count) {
    return count == MCV_LANES ? mcv_floats_load(p) : mcv_floats_load_part(p, count);
}
MCV_INLINE void mcv_floats_store_step(float *p, mcv_floats a, size_t count) {
    if (count == MCV_LANES)
        mcv_floats_store(p, a);
    else
        mcv_floats_store_part(p, a, count);
}

/* mcv_expf where x <= 0 or NaN. */
MCV_INLINE mcv_floats mcv_floats_exp_negative(mcv_floats x) {
    mcv_floats n = mcv_floats_round(mcv_floats_multiply(x, mcv_floats_set(MCV_LOG2_E)));
    mcv_floats r = mcv_floats_fma(n, mcv_floats_set(-MCV_LN2_HIGH), x);
    r = mcv_floats_fma(n, mcv_floats_set(-MCV_LN2_LOW), r);
    mcv_floats p = mcv_floats_set(0x1.6a4742p-10f);
    p = mcv_floats_fma(p, r, mcv_floats_set(0x1.1239a2p-7f));
    p = mcv_floats_fma(p, r, mcv_floats_set(0x1.5558b6p-5f));
    p = mcv_floats_fma(p, r, mcv_floats_set(0x1.555492p-3f));
    p = mcv_floats_fma(p, r, mcv_floats_set(0x1.fffffcp-2f));
    p = mcv_floats_fma(p, r, mcv_floats_set(1.0f));
    p = mcv_floats_fma(p, r, mcv_floats_set(1.0f));
    return mcv_floats_select(mcv_floats_less(x, mcv_floats_set(MCV_EXP_SMALLEST)), mcv_floats_set(0),
                             mcv_floats_scale(p, n));
}

/* mcv_expf. */
MCV_INLINE mcv_floats mcv_floats_exp(mcv_floats x) {
    return mcv_floats_select(mcv_floats_less(mcv_floats_set(MCV_EXP_LARGEST), x), mcv_floats_set(INFINITY),
                             mcv_floats_exp_negative(x));
}

/* x / (1 + exp(-u)). */
MCV_INLINE mcv_floats mcv_floats_gate(mcv_floats x, mcv_floats u) {
    mcv_floats e = mcv_floats_exp(mcv_floats_negate(u));
    return mcv_floats_divide(x, mcv_floats_add(mcv_floats_set(1.0f), e));
}

/* mcv_siluf. */
MCV_INLINE mcv_floats mcv_floats_silu(mcv_floats x) {
    return mcv_floats_gate(x, x);
}

/* mcv_gelu_tanhf. */
MCV_INLINE mcv_floats mcv_floats_gelu_tanh(mcv_floats x) {
    mcv_floats square = mcv_floats_multiply(mcv_floats_multiply(mcv_floats_set(MCV_GELU_CUBIC), x), x);
    mcv_floats cubic = mcv_floats_fma(square, x, x);
    return mcv_floats_gate(x, mcv_floats_multiply(mcv_floats_set(MCV_GELU_SCALE), cubic));
}

/* mcv_erff. */
MCV_INLINE mcv_floats mcv_floats_erf(mcv_floats x) {
    mcv_floats t = mcv_floats_abs(x), s = mcv_floats_multiply(x, x);
    mcv_floats p = mcv_floats_set(0x1.4771fcp-14f), q = mcv_floats_set(-0x1.852ca2p-13f);
    p = mcv_floats_fma(p, s, mcv_floats_set(-0x1.a3515ep-11f));
    p = mcv_floats_fma(p, s, mcv_floats_set(0x1.53f224p-8f));
    p = mcv_floats_fma(p, s, mcv_floats_set(-0x1.b7f71ap-6f));
    p = mcv_floats_fma(p, s, mcv_floats_set(0x1.ce2ce6p-4f));
    p = mcv_floats_fma(p, s, mcv_floats_set(-0x1.81273ep-2f));
    p = mcv_floats_fma(p, s, mcv_floats_set(0x1.06eba8p-3f));
    mcv_floats small = mcv_floats_fma(x, p, x);
    q = mcv_floats_fma(q, t, mcv_floats_set(0x1.814cdap-9f));
    q = mcv_floats_fma(q, t, mcv_floats_set(-0x1.65424ap-6f));
    q = mcv_floats_fma(q, t, mcv_floats_set(0x1.a60aa6p-4f));
    q = mcv_floats_fma(q, t, mcv_floats_set(0x1.46c57ep-1f));
    q = mcv_floats_fma(q, t, mcv_floats_set(0x1.2085b4p+0f));
    q = mcv_floats_fma(q, t, mcv_floats_set(0x1.72e040p-12f));
    mcv_floats one = mcv_floats_set(1.0f);
    mcv_floats large = mcv_floats_subtract(one, mcv_floats_exp_negative(mcv_floats_negate(q)));
    large = mcv_floats_select(mcv_floats_less_equal(mcv_floats_set(4.0f), t), one, large);
    return mcv_floats_select(mcv_floats_less(t, one), small, mcv_floats_copysign(large, x));
}

/* mcv_geluf. */
MCV_INLINE mcv_floats mcv_floats_gelu(mcv_floats x) {
    mcv_floats erf = mcv_floats_erf(mcv_floats_multiply(x, mcv_floats_set(MCV_SQRT_HALF)));
    return mcv_floats_multiply(mcv_floats_multiply(mcv_floats_set(0.5f), x), mcv_floats_add(mcv_floats_set(1.0f), erf));
}

/* max(x, 0) that keeps NaN. */
MCV_INLINE mcv_floats mcv_floats_relu(mcv_floats x) {
    return mcv_floats_select(mcv_floats_less_equal(x, mcv_floats_set(0)), mcv_floats_set(0), x);
}

#endif
