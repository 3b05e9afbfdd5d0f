-- Double soft F1 against BCE, fold by fold
SELECT a.sweep, a.sampling_hz, a.fold, round(a.macro_f1 - b.macro_f1, 4) AS gain_f1, round(a.macro_auroc - b.macro_auroc, 4) AS gain_auroc
FROM runs AS a JOIN runs AS b USING (sweep, fold, sampling_hz, model, seed)
WHERE a.loss = 'double_soft_f1' AND b.loss = 'bce' AND a.state = 'finished' AND b.state = 'finished'
ORDER BY a.sweep, a.sampling_hz, a.fold;
