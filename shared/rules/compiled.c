/* What numpy needs many passes for, in one: recursions from bar to bar, and the bits of conditions.
 * compiled.py is the only door. Nothing is allocated, nothing fails.
 *
 * Recursions: a bar's value follows from the one before it in a way that no sum of bars can express.
 * Every kernel is the plain definition for one column (`lanes` of them side by side, so that the
 * compiler uses vectors) and does for each column exactly the same operations in the same order: a
 * value depends on the bars of its own symbol only, to the last bit. Hence no fast-math and no fused
 * multiply-add (compile.sh). Shapes: [bars][width], oldest bar first, rows close to each other; NaN =
 * unknown, never infinite. A history begins at the first known bar and anew after each unknown one.
 * Of `bars` rows the last `last` are written, of each of `count` results.
 */
#include <stdint.h>

/* The sources that this is made of (compile.sh). */
const char made_of[] = MADE_OF;

/* Columns run through together: their state stays in the first cache, their rows in the second. */
#define LANES 64
#define UNKNOWN __builtin_nan("")
#define BEYOND __builtin_inf()

/* One library for every processor of a family: the best version is chosen when it is loaded. */
#ifdef __x86_64__
#define KERNEL __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define KERNEL
#endif

static inline double smaller(double a, double b) { return a < b ? a : b; }
static inline double larger(double a, double b) { return a > b ? a : b; }
static inline int64_t known(double a) { return a == a; }
static inline int64_t lanes_from(int64_t first, int64_t width) {
  return width - first < LANES ? width - first : LANES;
}
/* Return how many known bars precede the next one. */
static inline int64_t aged(int64_t age, int64_t is_known) { return is_known ? age + 1 : 0; }

/* Exponential averages, seeded with the simple one of the first n known values. The seed and every
 * step are deviations, hence a flat series averages to exactly itself. */
KERNEL void exponential(const double *source, int64_t bars, int64_t width, int64_t count,
                        const double *alphas, const int64_t *lengths, int64_t last, double *out) {
  for (int64_t column = 0; column < width; column += LANES) {
    const int64_t lanes = lanes_from(column, width);
    for (int64_t k = 0; k < count; k++) {
      const double alpha = alphas[k], n = (double)lengths[k];
      double average[LANES], first[LANES], total[LANES];
      int64_t age[LANES], youngest = 0;
      for (int64_t i = 0; i < lanes; i++) {
        age[i] = 0;
        average[i] = first[i] = total[i] = 0.0;
      }
      for (int64_t bar = 0; bar < bars; bar++) {
        const double *x = source + bar * width + column;
        int64_t gap = 0;
        for (int64_t i = 0; i < lanes; i++) gap |= !known(x[i]);
        if (gap || youngest < lengths[k]) {
          youngest = lengths[k];
          for (int64_t i = 0; i < lanes; i++) {
            first[i] = age[i] == 0 ? x[i] : first[i];
            total[i] = age[i] == 0 ? 0.0 : total[i] + (x[i] - first[i]);
            age[i] = aged(age[i], known(x[i]));
            const double step = (x[i] - average[i]) * alpha;
            average[i] = (double)age[i] > n ? average[i] + step : first[i] + total[i] / n;
            youngest = age[i] < youngest ? age[i] : youngest;
          }
        } else {
          for (int64_t i = 0; i < lanes; i++) average[i] += (x[i] - average[i]) * alpha;
        }
        if (bar < bars - last) continue;
        double *made = out + (k * last + bar - (bars - last)) * width + column;
        if (youngest < lengths[k])
          for (int64_t i = 0; i < lanes; i++)
            made[i] = age[i] < lengths[k] ? UNKNOWN : average[i];
        else
          for (int64_t i = 0; i < lanes; i++) made[i] = average[i];
      }
    }
  }
}

/* Wilder's average of 100 · |up - down| / (up + down) of his sums of n moves. A bar that says
 * nothing, because nothing moved yet, leaves the average as it is. */
KERNEL void directional(const double *up, const double *down, int64_t bars, int64_t width,
                        int64_t count, const int64_t *lengths, int64_t last, double *out) {
  for (int64_t column = 0; column < width; column += LANES) {
    const int64_t lanes = lanes_from(column, width);
    for (int64_t k = 0; k < count; k++) {
      const int64_t n = lengths[k];
      const double share = 1.0 - 1.0 / (double)n, scale = 100.0 / (double)n;
      double difference[LANES], both[LANES], ratios[LANES];
      int64_t age[LANES], youngest = 0;
      for (int64_t i = 0; i < lanes; i++) {
        age[i] = 0;
        difference[i] = both[i] = ratios[i] = 0.0;
      }
      for (int64_t bar = 0; bar < bars; bar++) {
        const double *rise = up + bar * width + column, *fall = down + bar * width + column;
        int64_t gap = 0;
        for (int64_t i = 0; i < lanes; i++) gap |= !known(rise[i] + fall[i]);
        if (gap || youngest < 2 * n) {
          youngest = 2 * n;
          for (int64_t i = 0; i < lanes; i++) {
            const int64_t is_known = known(rise[i] + fall[i]), at = age[i];
            /* The first n - 1 moves, and the first n ratios, are added up plainly. What was before
             * is not multiplied by 0: it may have been too large to be a number. */
            const double kept = at < n - 1 ? 1.0 : share;
            const double kept_ratios = at < 2 * n - 1 ? 1.0 : share;
            const double difference_before = at < 1 ? 0.0 : difference[i] * kept;
            const double both_before = at < 1 ? 0.0 : both[i] * kept;
            difference[i] = difference_before + (is_known ? rise[i] - fall[i] : 0.0);
            both[i] = both_before + (is_known ? rise[i] + fall[i] : 0.0);
            const int64_t says = both[i] > 0.0;
            const double ratio = __builtin_fabs(difference[i]) / both[i];
            const double ratios_before = at < n ? 0.0 : ratios[i] * kept_ratios;
            ratios[i] = says || at < n ? ratios_before : ratios[i];
            ratios[i] += says ? ratio : 0.0;
            age[i] = aged(at, is_known);
            youngest = age[i] < youngest ? age[i] : youngest;
          }
        } else {
          for (int64_t i = 0; i < lanes; i++) {
            difference[i] = difference[i] * share + (rise[i] - fall[i]);
            both[i] = both[i] * share + (rise[i] + fall[i]);
            const double ratio = __builtin_fabs(difference[i]) / both[i];
            ratios[i] = both[i] > 0.0 ? ratios[i] * share + ratio : ratios[i];
          }
        }
        if (bar < bars - last) continue;
        double *made = out + (k * last + bar - (bars - last)) * width + column;
        for (int64_t i = 0; i < lanes; i++)
          made[i] = age[i] < 2 * n - 1 ? UNKNOWN : scale * ratios[i];
      }
    }
  }
}

/* The lower band while the trend rises, the upper one while it falls. A band only comes closer,
 * until a close beyond it sets it anew; the trend turns at a close beyond the band in force. The
 * lower band is kept upside down: both come closer by falling. */
KERNEL void supertrend(const double *middle, const double *close, int64_t bars, int64_t width,
                       int64_t count, const double *const *atrs, const double *factors,
                       int64_t last, double *out) {
  for (int64_t column = 0; column < width; column += LANES) {
    const int64_t lanes = lanes_from(column, width);
    for (int64_t k = 0; k < count; k++) {
      const double factor = factors[k];
      /* `passed_…`: the close before went beyond the band, or there was none. */
      double upper[LANES], lower[LANES];
      int64_t passed_upper[LANES], passed_lower[LANES], rises[LANES];
      for (int64_t i = 0; i < lanes; i++) {
        upper[i] = lower[i] = UNKNOWN;
        passed_upper[i] = passed_lower[i] = -1;
        rises[i] = 0;
      }
      for (int64_t bar = 0; bar < bars; bar++) {
        const int64_t row = bar * width + column;
        const double *mid = middle + row, *price = close + row, *atr = atrs[k] + row;
        for (int64_t i = 0; i < lanes; i++) {
          const int64_t begins = -!known(upper[i]);
          /* Nothing is added, but without a close the bands are unknown, too. */
          const double spread = atr[i] * factor + (price[i] - price[i]);
          const double above = spread + mid[i], below = spread - mid[i];
          const double ceiling = passed_upper[i] ? BEYOND : upper[i];
          const double floor = passed_lower[i] ? BEYOND : lower[i];
          upper[i] = ceiling < above ? ceiling : above;
          lower[i] = floor < below ? floor : below;
          passed_upper[i] = -!(price[i] <= upper[i]);
          passed_lower[i] = -!(-price[i] <= lower[i]);
          const int64_t one = passed_upper[i] ^ passed_lower[i];
          rises[i] = ((rises[i] & ~one) ^ passed_upper[i]) | begins;
        }
        if (bar < bars - last) continue;
        double *made = out + (k * last + bar - (bars - last)) * width + column;
        for (int64_t i = 0; i < lanes; i++) made[i] = rises[i] ? -lower[i] : upper[i];
      }
    }
  }
}

/* Wilder's parabolic stop and reverse. Prices count in the direction of the trend: while it falls
 * they are negative, so that the stop is always below, rises, and is hit by the worst price. */
KERNEL void parabolic(const double *high, const double *low, int64_t bars, int64_t width,
                      int64_t count, const double *steps, const double *mosts, int64_t last,
                      double *out) {
  for (int64_t column = 0; column < width; column += LANES) {
    const int64_t lanes = lanes_from(column, width);
    for (int64_t k = 0; k < count; k++) {
      const double most = mosts[k], step = smaller(steps[k], most);
      double way[LANES], stop[LANES], extreme[LANES], speed[LANES];
      double worst_before[LANES], best_before[LANES], high_before[LANES], low_before[LANES];
      int64_t age[LANES], youngest = 0;
      for (int64_t i = 0; i < lanes; i++) {
        age[i] = 0;
        way[i] = stop[i] = extreme[i] = speed[i] = 1.0;
        worst_before[i] = best_before[i] = high_before[i] = low_before[i] = 0.0;
      }
      for (int64_t bar = 0; bar < bars; bar++) {
        const double *top = high + bar * width + column, *bottom = low + bar * width + column;
        int64_t gap = 0;
        for (int64_t i = 0; i < lanes; i++) gap |= !known(top[i] + bottom[i]);
        if (gap || youngest < 2) {
          /* The trend falls if the second bar moved below the first, and further than above it. */
          youngest = 2;
          for (int64_t i = 0; i < lanes; i++) {
            const int64_t second = age[i] == 1;
            const double fell = low_before[i] - bottom[i], rose = top[i] - high_before[i];
            const int64_t falls = (fell > 0.0) & (fell > rose);
            const double worst = falls ? -top[i] : bottom[i], best = falls ? -bottom[i] : top[i];
            way[i] = second ? (falls ? -1.0 : 1.0) : way[i];
            stop[i] = second ? (falls ? -high_before[i] : low_before[i]) : stop[i];
            extreme[i] = second ? best : extreme[i];
            speed[i] = second ? step : speed[i];
            /* As if the bar before had been the same. */
            worst_before[i] = second ? worst : worst_before[i];
            best_before[i] = second ? best : best_before[i];
            high_before[i] = top[i];
            low_before[i] = bottom[i];
            age[i] = aged(age[i], known(top[i] + bottom[i]));
            youngest = age[i] < youngest ? age[i] : youngest;
          }
        }
        double found[LANES];
        for (int64_t i = 0; i < lanes; i++) {
          const double a = top[i] * way[i], b = bottom[i] * way[i];
          const double worst = smaller(a, b), best = larger(a, b);
          const int64_t hit = worst <= stop[i];
          /* Where it is hit the trend turns: the old extreme is the first stop of the new one. */
          const double peak = larger(best_before[i], best), turned = -larger(extreme[i], peak);
          found[i] = (hit ? -turned : stop[i]) * way[i];
          const double fresh = smaller(turned + step * (-worst - turned), -peak);
          const double raised = speed[i] + (best > extreme[i] ? step : 0.0);
          const double faster = smaller(raised, most), further = larger(extreme[i], best);
          const double moved = stop[i] + (further - stop[i]) * faster;
          const double held = smaller(moved, smaller(worst, worst_before[i]));
          way[i] = hit ? -way[i] : way[i];
          stop[i] = hit ? fresh : held;
          speed[i] = hit ? step : faster;
          extreme[i] = hit ? -worst : further;
          worst_before[i] = hit ? -best : worst;
          best_before[i] = hit ? -worst : best;
        }
        if (bar < bars - last) continue;
        double *made = out + (k * last + bar - (bars - last)) * width + column;
        for (int64_t i = 0; i < lanes; i++) made[i] = age[i] < 2 ? UNKNOWN : found[i];
      }
    }
  }
}

/* Sums of all bars so far. */
KERNEL void sums(const double *source, int64_t bars, int64_t width, int64_t count, int64_t last,
                 double *out) {
  (void)count;
  for (int64_t column = 0; column < width; column += LANES) {
    const int64_t lanes = lanes_from(column, width);
    double sum[LANES];
    for (int64_t i = 0; i < lanes; i++) sum[i] = UNKNOWN;
    for (int64_t bar = 0; bar < bars; bar++) {
      const double *x = source + bar * width + column;
      for (int64_t i = 0; i < lanes; i++) sum[i] = known(sum[i]) ? sum[i] + x[i] : x[i];
      if (bar < bars - last) continue;
      double *made = out + (bar - (bars - last)) * width + column;
      for (int64_t i = 0; i < lanes; i++) made[i] = sum[i];
    }
  }
}

/* How many bars ago it was last true (1), unless that was never or an unknown bar lies between. */
KERNEL void since(const double *truth, int64_t bars, int64_t width, int64_t count, int64_t last,
                  double *out) {
  (void)count;
  for (int64_t column = 0; column < width; column += LANES) {
    const int64_t lanes = lanes_from(column, width);
    double ago[LANES];
    for (int64_t i = 0; i < lanes; i++) ago[i] = UNKNOWN;
    for (int64_t bar = 0; bar < bars; bar++) {
      const double *x = truth + bar * width + column;
      for (int64_t i = 0; i < lanes; i++)
        ago[i] = x[i] == 1.0 ? 0.0 : known(x[i]) ? ago[i] + 1.0 : UNKNOWN;
      if (bar < bars - last) continue;
      double *made = out + (bar - (bars - last)) * width + column;
      for (int64_t i = 0; i < lanes; i++) made[i] = ago[i];
    }
  }
}

/* Sums of volume so far, counted negative where the close fell, not at all where it stayed. */
KERNEL void balance(const double *close, const double *volume, int64_t bars, int64_t width,
                    int64_t count, int64_t last, double *out) {
  (void)count;
  for (int64_t column = 0; column < width; column += LANES) {
    const int64_t lanes = lanes_from(column, width);
    double sum[LANES], before[LANES];
    for (int64_t i = 0; i < lanes; i++) sum[i] = before[i] = UNKNOWN;
    for (int64_t bar = 0; bar < bars; bar++) {
      const double *x = close + bar * width + column, *v = volume + bar * width + column;
      for (int64_t i = 0; i < lanes; i++) {
        const double sign = (double)(x[i] > before[i]) - (double)(x[i] < before[i]);
        sum[i] = known(sum[i]) ? sum[i] + sign * v[i] : v[i];
        sum[i] = known(x[i]) ? sum[i] : UNKNOWN;
        before[i] = x[i];
      }
      if (bar < bars - last) continue;
      double *made = out + (bar - (bars - last)) * width + column;
      for (int64_t i = 0; i < lanes; i++) made[i] = sum[i];
    }
  }
}

/* Differences of two exponential averages that both begin with the first value. */
KERNEL void oscillator(const double *source, int64_t bars, int64_t width, int64_t count,
                       const int64_t *fasts, const int64_t *slows, int64_t last, double *out) {
  for (int64_t column = 0; column < width; column += LANES) {
    const int64_t lanes = lanes_from(column, width);
    for (int64_t k = 0; k < count; k++) {
      const double fast = 2.0 / ((double)fasts[k] + 1.0), slow = 2.0 / ((double)slows[k] + 1.0);
      const int64_t longer = fasts[k] > slows[k] ? fasts[k] : slows[k];
      double quick[LANES], lazy[LANES];
      int64_t age[LANES];
      for (int64_t i = 0; i < lanes; i++) {
        quick[i] = lazy[i] = 0.0;
        age[i] = 0;
      }
      for (int64_t bar = 0; bar < bars; bar++) {
        const double *x = source + bar * width + column;
        for (int64_t i = 0; i < lanes; i++) {
          quick[i] = age[i] ? x[i] * fast + quick[i] * (1.0 - fast) : x[i];
          lazy[i] = age[i] ? x[i] * slow + lazy[i] * (1.0 - slow) : x[i];
          age[i] = aged(age[i], known(x[i]));
        }
        if (bar < bars - last) continue;
        double *made = out + (k * last + bar - (bars - last)) * width + column;
        for (int64_t i = 0; i < lanes; i++)
          made[i] = age[i] < longer ? UNKNOWN : quick[i] - lazy[i];
      }
    }
  }
}

/* Kaufman's average: an exponential one that is quicker the straighter the last n bars went. It
 * follows the price at first, and deviations from the first value, hence flat stays flat. */
KERNEL void kaufman(const double *source, int64_t bars, int64_t width, int64_t count,
                    const double *const *straights, const int64_t *lengths, const double *quickest,
                    const double *slowest, int64_t last, double *out) {
  for (int64_t column = 0; column < width; column += LANES) {
    const int64_t lanes = lanes_from(column, width);
    for (int64_t k = 0; k < count; k++) {
      const int64_t n = lengths[k];
      const double slow = slowest[k], span = quickest[k] - slow;
      double first[LANES], moved[LANES];
      int64_t age[LANES];
      for (int64_t i = 0; i < lanes; i++) {
        first[i] = moved[i] = 0.0;
        age[i] = 0;
      }
      for (int64_t bar = 0; bar < bars; bar++) {
        const int64_t row = bar * width + column;
        const double *x = source + row, *straight = straights[k] + row;
        for (int64_t i = 0; i < lanes; i++) {
          const double root = straight[i] * span + slow, share = root * root;
          first[i] = age[i] ? first[i] : x[i];
          const double deviation = x[i] - first[i];
          moved[i] = age[i] < n ? deviation : share * deviation + moved[i] * (1.0 - share);
          age[i] = aged(age[i], known(x[i]));
        }
        if (bar < bars - last) continue;
        double *made = out + (k * last + bar - (bars - last)) * width + column;
        for (int64_t i = 0; i < lanes; i++) made[i] = age[i] > n ? moved[i] + first[i] : UNKNOWN;
      }
    }
  }
}

/* Averages weighted by volume since each bar's day began: deviations from the day's first value. */
KERNEL void daily(const double *source, const double *volume, const double *day, int64_t bars,
                  int64_t width, int64_t count, int64_t last, double *out) {
  (void)count;
  for (int64_t column = 0; column < width; column += LANES) {
    const int64_t lanes = lanes_from(column, width);
    double first[LANES], moved[LANES], traded[LANES], today[LANES];
    for (int64_t i = 0; i < lanes; i++) today[i] = UNKNOWN;
    for (int64_t bar = 0; bar < bars; bar++) {
      const int64_t row = bar * width + column;
      const double *x = source + row, *v = volume + row, *now = day + row;
      for (int64_t i = 0; i < lanes; i++) {
        /* After an unknown bar, too. */
        const int64_t begins = !(now[i] == today[i]);
        first[i] = begins ? x[i] : first[i];
        moved[i] = (x[i] - first[i]) * v[i] + (begins ? 0.0 : moved[i]);
        traded[i] = v[i] + (begins ? 0.0 : traded[i]);
        today[i] = known(x[i] + v[i]) ? now[i] : UNKNOWN;
      }
      if (bar < bars - last) continue;
      double *made = out + (bar - (bars - last)) * width + column;
      for (int64_t i = 0; i < lanes; i++)
        made[i] = known(today[i]) ? moved[i] / traded[i] + first[i] : UNKNOWN;
    }
  }
}

/* Bits of 64 columns lie as numpy packs them: the first column in each byte's highest bit. */
#define BITS_OF_BYTE(first) \
  1ULL << (first + 7), 1ULL << (first + 6), 1ULL << (first + 5), 1ULL << (first + 4), \
  1ULL << (first + 3), 1ULL << (first + 2), 1ULL << (first + 1), 1ULL << (first)
static const uint64_t BITS[64] = {
  BITS_OF_BYTE(0), BITS_OF_BYTE(8), BITS_OF_BYTE(16), BITS_OF_BYTE(24),
  BITS_OF_BYTE(32), BITS_OF_BYTE(40), BITS_OF_BYTE(48), BITS_OF_BYTE(56)};
#define BIT_IF(condition, column) (-(uint64_t)(condition) & BITS[column])

/* Where values[left] < values[right] is true and where it is false; where a side is unknown,
 * neither. Shapes: values [][width], width a multiple of 64; bits [count][width / 64]. */
KERNEL void less(const double *values, int64_t width, int64_t count, const int64_t *left,
                 const int64_t *right, uint64_t *is_true, uint64_t *is_false) {
  for (int64_t pair = 0; pair < count; pair++) {
    const double *a = values + left[pair] * width, *b = values + right[pair] * width;
    for (int64_t column = 0; column < width; column += 64) {
      uint64_t yes = 0, no = 0;
      for (int64_t i = 0; i < 64; i++) {
        yes |= BIT_IF(a[column + i] < b[column + i], i);
        no |= BIT_IF(a[column + i] >= b[column + i], i);
      }
      *is_true++ = yes;
      *is_false++ = no;
    }
  }
}

/* The same for values[left] == values[right]. */
KERNEL void equal(const double *values, int64_t width, int64_t count, const int64_t *left,
                  const int64_t *right, uint64_t *is_true, uint64_t *is_false) {
  for (int64_t pair = 0; pair < count; pair++) {
    const double *a = values + left[pair] * width, *b = values + right[pair] * width;
    for (int64_t column = 0; column < width; column += 64) {
      uint64_t yes = 0, no = 0;
      for (int64_t i = 0; i < 64; i++) {
        yes |= BIT_IF(a[column + i] == b[column + i], i);
        no |= BIT_IF((a[column + i] < b[column + i]) | (a[column + i] > b[column + i]), i);
      }
      *is_true++ = yes;
      *is_false++ = no;
    }
  }
}

/* Conditions that are `and`s of `arity` others or their negations: true where all are, false where
 * one is. Shapes: bits [2 (true, false)][all][words]; operands, negated [count][arity]. */
KERNEL void conjunctions(uint64_t *bits, int64_t all, int64_t words, int64_t count, int64_t arity,
                         const int64_t *conditions, const int64_t *operands,
                         const int64_t *negated) {
  for (int64_t at = 0; at < count; at++) {
    uint64_t *yes = bits + conditions[at] * words, *no = yes + all * words;
    for (int64_t operand = 0; operand < arity; operand++, operands++, negated++) {
      const uint64_t *own = bits + (*negated * all + *operands) * words;
      const uint64_t *other = bits + ((1 - *negated) * all + *operands) * words;
      for (int64_t word = 0; word < words; word++) {
        yes[word] = operand ? yes[word] & own[word] : own[word];
        no[word] = operand ? no[word] | other[word] : other[word];
      }
    }
  }
}
