/* What is demanded of each tensor: a table of rules by engine, element type and name.
 *
 *     # ENGINE DTYPE NAME                 DEMAND...
 *     ref      f32   pixel_values.*       equal
 *     *        bf16  generated_ids.*      shown
 *     fast     bf16  llm.model.layers.*   rel_l2=2e-2 cosine=0.999
 *
 * All three are patterns as in a shell ('*', '?', '[a-z]'); DTYPE is --dtype, with "-fast" behind for --numerics fast.
 * The first line that matches counts; a name that no line matches is an error, and so is a line that spells a name out
 * which no tensor has. Demands: "equal" (every element), "shown" (nothing is demanded), and limits that all must hold.
 */
#ifndef MCV_CLI_TOLERANCES_H
#define MCV_CLI_TOLERANCES_H

#include "cli/cli.h"

/* Limits that are not set are INFINITY; those from below (cosine, top_k) -INFINITY; margin is 0. */
typedef struct mcv_tolerance {
    bool equal, shown;
    double max_abs, max_rel, rel_l2, cosine, ulp_p99, ulp_max; /* at most (cosine: at least) this; see measure.h */
    /* Where an FP64 run is known: the distance to it is at most this share of golden's own, or what rounding to FP32
     * costs with 5% of room. */
    double exact;
    double rel_l2_beside_exact; /* takes the place of rel_l2 there, against golden files that were spoilt */
    /* Of logits (the name "logits"): KL divergence at most, overlap of the best k at least; another best token than the
     * reference's is excused where the reference's own lead is smaller than `margin`. */
    double kl, top_k, margin;
} mcv_tolerance;

typedef struct mcv_tolerances mcv_tolerances;

/* For the option tables of commands that judge. */
#define MCV_TOLERANCE_OPTION                                                                                           \
    { 0, "tol", "FILE", "what is demanded of each tensor (default: this program's own table)" }

/* The table that --tol names, or the program's own, for --engine (where it is not given, for `engine`) and --dtype. */
mcv_status mcv_tolerances_open(const mcv_arguments *arguments, const char *engine, mcv_tolerances **tolerances);
/* The same from a text; `name` stands for the file in messages. */
mcv_status mcv_tolerances_read(const char *text, size_t size, const char *name, const char *engine, const char *dtype,
                               mcv_tolerances **tolerances);
void mcv_tolerances_free(mcv_tolerances *tolerances);

/* Puts another limit in the place of every rel_l2. */
void mcv_tolerances_set_rel_l2(mcv_tolerances *tolerances, double limit);

/* What is demanded of a tensor. MCV_BAD_INPUT: no line matches. */
mcv_status mcv_tolerances_find(mcv_tolerances *tolerances, const char *name, const mcv_tolerance **tolerance);
/* When all tensors have been looked up: MCV_BAD_INPUT where a line of a --tol file spells a name out that none had. */
mcv_status mcv_tolerances_check_names(const mcv_tolerances *tolerances);

#endif
