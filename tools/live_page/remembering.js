// Functions that keep their last result.

/** Function that calls compute(...values) only if one of the values is not that of the last call. */
export function remembered(compute) {
  let [last, result] = [[], null];
  return (...values) => {
    if (values.some((value, i) => value !== last[i])) [last, result] = [values, compute(...values)];
    return result;
  };
}
