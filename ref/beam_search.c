#include "ref/beam_search.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "core/random.h"
#include "ref/logits_process.h"
#include "ref/stopping_criteria.h"
#include "ref/topk.h"

/* A sequence of the search. */
typedef struct Beam {
    float score; /* sum of log probabilities; divided by a power of the length once it is finished */
    bool finished;
    int32_t row; /* of the model's, which holds all but the last id */
    int32_t length;
    int32_t *ids; /* [max_new_tokens] */
} Beam;

/* The search of one prompt. */
typedef struct Search {
    Beam *running;    /* [num_beams], best first */
    Beam *finished;   /* [num_beams], best first; placeholders until sequences have ended */
    Beam *candidates; /* [beams_to_keep], best first */
    Beam *merged;     /* [num_beams + beams_to_keep] */
    mcv_random random;
} Search;

typedef struct BeamSearch {
    const GenerationModel *model;
    const GenerationConfig *config;
    int batch_size, num_beams, beams_to_keep;
    int cur_len;
    float *log_probs; /* [num_beams * vocab_size]: of one prompt, with the scores of the beams that they go on from */
    float *quotients; /* [num_beams * vocab_size]: of sampling */
    float *logits;    /* [batch_size * num_beams, vocab_size] */
    int32_t *parents, *ids; /* [batch_size * num_beams] */
    float *keys;            /* [num_beams + beams_to_keep] */
    int32_t *chosen;        /* [num_beams + beams_to_keep] */
    LogitsScratch scratch;
    Search *searches; /* [batch_size] */
    mcv_arena arena;
} BeamSearch;

/* HF marks what must not be chosen by adding this, in FP32. */
static const float NEVER = -1.0e9f;

/* ---- State -------------------------------------------------------------------------------------------------- */

static mcv_status make_beams(BeamSearch *self, int count, Beam **beams) {
    MCV_TRY(MCV_ARENA_NEW(&self->arena, beams, count));
    for (int i = 0; i < count; i++) {
        (*beams)[i] = (Beam){.score = NEVER};
        MCV_TRY(MCV_ARENA_NEW(&self->arena, &(*beams)[i].ids, self->config->max_new_tokens));
    }
    return MCV_OK;
}

/* Copies a beam's values into the memory of another. */
static void copy_beam(Beam *to, const Beam *from) {
    int32_t *ids = to->ids;
    memcpy(ids, from->ids, (size_t)from->length * sizeof *ids);
    *to = *from;
    to->ids = ids;
}

static mcv_status create(BeamSearch *self) {
    size_t rows = (size_t)self->batch_size * (size_t)self->num_beams, vocab = (size_t)self->model->vocab_size;
    MCV_TRY(LogitsScratch_create(&self->scratch, self->model->vocab_size));
    MCV_TRY(MCV_ARENA_NEW(&self->arena, &self->log_probs, (size_t)self->num_beams * vocab));
    if (self->config->do_sample)
        MCV_TRY(MCV_ARENA_NEW(&self->arena, &self->quotients, (size_t)self->num_beams * vocab));
    MCV_TRY(MCV_ARENA_NEW(&self->arena, &self->logits, rows * vocab));
    MCV_TRY(MCV_ARENA_NEW(&self->arena, &self->parents, rows));
    MCV_TRY(MCV_ARENA_NEW(&self->arena, &self->ids, rows));
    MCV_TRY(MCV_ARENA_NEW(&self->arena, &self->keys, self->num_beams + self->beams_to_keep));
    MCV_TRY(MCV_ARENA_NEW(&self->arena, &self->chosen, self->num_beams + self->beams_to_keep));
    MCV_TRY(MCV_ARENA_NEW(&self->arena, &self->searches, self->batch_size));
    for (int i = 0; i < self->batch_size; i++) {
        Search *search = &self->searches[i];
        MCV_TRY(make_beams(self, self->num_beams, &search->running));
        MCV_TRY(make_beams(self, self->num_beams, &search->finished));
        MCV_TRY(make_beams(self, self->beams_to_keep, &search->candidates));
        MCV_TRY(make_beams(self, self->num_beams + self->beams_to_keep, &search->merged));
        search->random = mcv_random_begin(self->config->seed, (uint64_t)i);
        search->running[0].score = 0; /* the others are copies of it that must not be chosen at first */
        for (int beam = 0; beam < self->num_beams; beam++)
            search->running[beam].row = i;
    }
    return MCV_OK;
}

/* ---- Choosing ----------------------------------------------------------------------------------------------- */

/* Draws beams_to_keep indices of log_probs without replacement, by their probabilities: the largest of p / e with e
 * exponentially distributed. torch.multinomial. */
static void sample_without_replacement(const BeamSearch *self, mcv_random *random) {
    int count = self->num_beams * self->model->vocab_size;
    logits_softmax(self->log_probs, count, self->quotients);
    for (int i = 0; i < count; i++)
        self->quotients[i] = (float)((double)self->quotients[i] / -log1p(-mcv_random_positive(random)));
    topk(self->quotients, count, self->beams_to_keep, self->chosen);
}

/* Fills self->log_probs: each beam's scores plus each token's processed log probability. */
static mcv_status accumulate_log_probs(BeamSearch *self, const Search *search, int prompt, const float *prompt_logits) {
    int vocab = self->model->vocab_size;
    for (int beam = 0; beam < self->num_beams; beam++) {
        const Beam *running = &search->running[beam];
        float *row = self->log_probs + (size_t)beam * (size_t)vocab;
        const float *logits = prompt_logits ? prompt_logits + (size_t)prompt * (size_t)vocab
                                            : self->logits + (size_t)(prompt * self->num_beams + beam) * (size_t)vocab;
        memcpy(row, logits, (size_t)vocab * sizeof *row);
        MCV_TRY(logits_check(row, vocab));
        logits_log_softmax(row, vocab);
        MCV_TRY(
            LogitsProcessorList_call(self->config, running->ids, (size_t)running->length, row, vocab, &self->scratch));
        for (int i = 0; i < vocab; i++)
            row[i] += running->score;
    }
    return MCV_OK;
}

/* HF: _get_top_k_continuations, and the stopping criteria. */
static void get_top_k_continuations(BeamSearch *self, Search *search) {
    int vocab = self->model->vocab_size;
    if (self->config->do_sample)
        sample_without_replacement(self, &search->random);
    else
        topk(self->log_probs, self->num_beams * vocab, self->beams_to_keep, self->chosen);
    for (int i = 0; i < self->beams_to_keep; i++) {
        Beam *candidate = &search->candidates[i];
        int32_t id = self->chosen[i] % vocab;
        copy_beam(candidate, &search->running[self->chosen[i] / vocab]);
        candidate->score = self->log_probs[self->chosen[i]];
        candidate->ids[candidate->length++] = id;
        candidate->finished = stopping_criteria(self->config, id, (size_t)candidate->length);
    }
}

/* HF: _get_running_beams_for_next_iteration. */
static void get_running_beams_for_next_iteration(BeamSearch *self, Search *search) {
    for (int i = 0; i < self->beams_to_keep; i++)
        self->keys[i] = search->candidates[i].score + (search->candidates[i].finished ? NEVER : 0);
    topk(self->keys, self->beams_to_keep, self->num_beams, self->chosen);
    for (int i = 0; i < self->num_beams; i++) {
        copy_beam(&search->running[i], &search->candidates[self->chosen[i]]);
        search->running[i].score = self->keys[self->chosen[i]];
    }
}

/* Scores are divided by the length that the sequence has with its new token, to the power of length_penalty. */
static float length_divisor(const BeamSearch *self, int length) {
    return (float)pow(length, self->config->length_penalty);
}

static bool all_finished(const BeamSearch *self, const Search *search) {
    for (int i = 0; i < self->num_beams; i++)
        if (!search->finished[i].finished)
            return false;
    return true;
}

/* Puts sequences that have just ended among the finished ones. Of the candidates only the first num_beams count; the
 * rest are there so that enough sequences can go on. HF: _update_finished_beams. */
static void update_finished_beams(BeamSearch *self, Search *search) {
    bool closed = self->config->early_stopping == 1 && all_finished(self, search);
    for (int i = 0; i < self->num_beams; i++)
        copy_beam(&search->merged[i], &search->finished[i]);
    for (int i = 0; i < self->beams_to_keep; i++) {
        Beam *merged = &search->merged[self->num_beams + i];
        copy_beam(merged, &search->candidates[i]);
        merged->finished = merged->finished && i < self->num_beams;
        merged->score /= length_divisor(self, self->cur_len + 1);
        merged->score += closed ? NEVER : 0;
        merged->score += merged->finished ? 0 : NEVER;
    }
    for (int i = 0; i < self->num_beams + self->beams_to_keep; i++)
        self->keys[i] = search->merged[i].score;
    topk(self->keys, self->num_beams + self->beams_to_keep, self->num_beams, self->chosen);
    for (int i = 0; i < self->num_beams; i++)
        copy_beam(&search->finished[i], &search->merged[self->chosen[i]]);
}

/* HF: _beam_search_has_unfinished_sequences. */
static bool has_unfinished_sequences(const BeamSearch *self) {
    const GenerationConfig *config = self->config;
    bool to_the_end = config->early_stopping == 2 && config->length_penalty > 0;
    float divisor = length_divisor(self, to_the_end ? config->max_new_tokens : self->cur_len);
    bool improvement_possible = false, exists_open_beam = false, valid_continuations = false;
    for (int i = 0; i < self->batch_size; i++) {
        const Search *search = &self->searches[i];
        float worst = INFINITY, best_possible = search->running[0].score / divisor;
        for (int beam = 0; beam < self->num_beams; beam++)
            worst = search->finished[beam].score < worst ? search->finished[beam].score : worst;
        for (int beam = 0; beam < self->num_beams; beam++)
            improvement_possible |= best_possible > (search->finished[beam].finished ? worst : NEVER);
        for (int candidate = 0; candidate < self->beams_to_keep; candidate++)
            valid_continuations |= !search->candidates[candidate].finished;
        exists_open_beam |= !all_finished(self, search);
    }
    return improvement_possible && (exists_open_beam || config->early_stopping != 1) && valid_continuations;
}

/* ---- The loop ----------------------------------------------------------------------------------------------- */

/* Lets the model's rows follow the running beams, and runs their newest ids. */
static mcv_status advance_model(BeamSearch *self, int model_rows) {
    int rows = self->batch_size * self->num_beams;
    bool moved = rows != model_rows;
    for (int i = 0; i < rows; i++) {
        Beam *beam = &self->searches[i / self->num_beams].running[i % self->num_beams];
        self->parents[i] = beam->row;
        self->ids[i] = beam->ids[beam->length - 1];
        moved = moved || beam->row != i;
        beam->row = i;
    }
    if (moved)
        MCV_TRY(self->model->select_rows(self->model->context, self->parents, rows));
    return self->model->step(self->model->context, self->ids, rows, self->logits);
}

static mcv_status search_one_token(BeamSearch *self, const float *prompt_logits) {
    for (int i = 0; i < self->batch_size; i++) {
        Search *search = &self->searches[i];
        MCV_TRY(accumulate_log_probs(self, search, i, prompt_logits));
        get_top_k_continuations(self, search);
        get_running_beams_for_next_iteration(self, search);
        update_finished_beams(self, search);
    }
    self->cur_len++;
    return MCV_OK;
}

/* The best sequence of each prompt, shorter ones filled up: with the first end token where pad_token_id is 0, which HF
 * takes for none. */
static mcv_status take_best(const BeamSearch *self, TokenIds *sequences) {
    int32_t longest = 0;
    int32_t fill = self->config->pad_token_id || self->config->num_eos_token_ids == 0 ? self->config->pad_token_id
                                                                                      : self->config->eos_token_ids[0];
    for (int i = 0; i < self->batch_size; i++)
        longest = self->searches[i].finished[0].length > longest ? self->searches[i].finished[0].length : longest;
    for (int i = 0; i < self->batch_size; i++) {
        const Beam *best = &self->searches[i].finished[0];
        for (int32_t t = 0; t < longest; t++)
            MCV_TRY(TokenIds_append(&sequences[i], t < best->length ? best->ids[t] : fill));
    }
    return MCV_OK;
}

static mcv_status run(BeamSearch *self, const float *prompt_logits, TokenIds *sequences) {
    MCV_TRY(create(self));
    MCV_TRY(search_one_token(self, prompt_logits));
    for (int rows = self->batch_size; has_unfinished_sequences(self); rows = self->batch_size * self->num_beams) {
        MCV_TRY(advance_model(self, rows));
        MCV_TRY(search_one_token(self, NULL));
    }
    return take_best(self, sequences);
}

/* HF: _beam_search. There are enough candidates for num_beams sequences to go on whatever ends. */
mcv_status beam_search(const GenerationModel *model, const float *prompt_logits, int batch_size,
                       const GenerationConfig *config, TokenIds *sequences) {
    int end_tokens = config->num_eos_token_ids > 1 ? config->num_eos_token_ids : 1;
    int64_t beams_to_keep = ((int64_t)end_tokens + 1) * config->num_beams;
    int64_t continuations = (int64_t)config->num_beams * model->vocab_size;
    if (beams_to_keep > continuations)
        return MCV_FAIL(MCV_USAGE, "%d beams and %d end tokens need %" PRId64 " candidates, %d tokens give %" PRId64,
                        config->num_beams, config->num_eos_token_ids, beams_to_keep, model->vocab_size, continuations);
    if (continuations > INT32_MAX / 2 || continuations * batch_size > INT32_MAX / 2)
        return MCV_FAIL(MCV_USAGE, "%d prompts with %d beams are too many for a vocabulary of %d", batch_size,
                        config->num_beams, model->vocab_size);
    BeamSearch self = {.model = model,
                       .config = config,
                       .batch_size = batch_size,
                       .num_beams = config->num_beams,
                       .beams_to_keep = (int)beams_to_keep};
    mcv_status status = run(&self, prompt_logits, sequences);
    LogitsScratch_free(&self.scratch);
    mcv_arena_free(&self.arena);
    return status;
}
