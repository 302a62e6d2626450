//! What was measured, as JSON lines and as a table for the reader.

use std::path::Path;

use serde::Serialize;

use super::measure::Measured;

/// One measurement: medians over its runs.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Line {
    name: &'static str,
    shape: &'static str,
    resources: usize,
    runs: usize,
    /// Median of the wall time.
    pub(super) seconds: f64,
    /// Median of the peak memory.
    peak_mb: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) megabytes_per_second: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    terraform_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    terraform_peak_mb: Option<f64>,
    /// How many times faster than terraform.
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
    /// Our peak memory in parts of terraform's.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_ratio: Option<f64>,
}

/// How time grows with the number of resources: seconds ~ resources ^ exponent, fitted over the
/// sizes of a shape by least squares on the logarithms.
#[derive(Clone, Debug, Serialize)]
struct Exponent {
    name: &'static str,
    shape: &'static str,
    exponent: f64,
}

#[derive(Default)]
pub(super) struct Report {
    lines: Vec<Line>,
    exponents: Vec<Exponent>,
}

impl Line {
    pub(super) fn new(
        name: &'static str,
        shape: &'static str,
        resources: usize,
        runs: &[Measured],
    ) -> Line {
        Line {
            name,
            shape,
            resources,
            runs: runs.len(),
            seconds: median(runs, |run| run.seconds),
            peak_mb: median(runs, |run| run.peak_mb),
            megabytes_per_second: None,
            terraform_seconds: None,
            terraform_peak_mb: None,
            ratio: None,
            memory_ratio: None,
        }
    }

    /// Adds terraform's runs, if there were any.
    pub(super) fn rival(&mut self, runs: &[Measured]) {
        if runs.is_empty() {
            return;
        }
        let (seconds, peak_mb) = (median(runs, |run| run.seconds), median(runs, |run| run.peak_mb));
        self.terraform_seconds = Some(seconds);
        self.terraform_peak_mb = Some(peak_mb);
        self.ratio = Some(seconds / self.seconds);
        self.memory_ratio = Some(self.peak_mb / peak_mb);
    }
}

fn median(runs: &[Measured], of: impl Fn(&Measured) -> f64) -> f64 {
    let mut values: Vec<f64> = runs.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

impl Report {
    /// Adds a line and shows it at once, since the whole takes minutes.
    pub(super) fn add(&mut self, line: Line) {
        let rival = match (line.ratio, line.memory_ratio) {
            (Some(ratio), Some(memory)) => {
                format!("  {ratio:.0} times faster than terraform, {memory:.2} of its memory")
            }
            _ => String::new(),
        };
        let speed =
            line.megabytes_per_second.map(|speed| format!("  {speed:.1} MB/s")).unwrap_or_default();
        crate::say(&format!(
            "{:12} {:10} {:>7}  {:>8.3} s  {:>7.1} MB{speed}{rival}",
            line.name, line.shape, line.resources, line.seconds, line.peak_mb
        ));
        self.lines.push(line);
    }

    /// Fits how time grows, for every measurement with several sizes.
    pub(super) fn exponents(&mut self) {
        let mut names: Vec<_> = self.lines.iter().map(|line| (line.name, line.shape)).collect();
        names.sort_unstable();
        names.dedup();
        for (name, shape) in names {
            let points: Vec<(f64, f64)> = self
                .lines
                .iter()
                .filter(|line| (line.name, line.shape) == (name, shape))
                .map(|line| ((line.resources as f64).ln(), line.seconds.ln()))
                .collect();
            let Some(exponent) = slope(&points) else {
                continue;
            };
            let steps = points.iter().zip(points.iter().skip(1)).map(|(before, after)| {
                let (size, time) = ((after.0 - before.0).exp(), (after.1 - before.1).exp());
                format!("{time:.1} times the time for {size:.1} times the resources")
            });
            let steps = steps.collect::<Vec<_>>().join(", then ");
            crate::say(&format!("{name:12} {shape:10} grows with exponent {exponent:.2}; {steps}"));
            self.exponents.push(Exponent { name, shape, exponent });
        }
    }

    /// Writes one JSON object per line.
    pub(super) fn write(&self, path: &Path) -> Result<(), String> {
        let lines = self.lines.iter().map(serde_json::to_string);
        let exponents = self.exponents.iter().map(serde_json::to_string);
        let mut text = String::new();
        for line in lines.chain(exponents) {
            text.push_str(&line.map_err(|error| error.to_string())?);
            text.push('\n');
        }
        std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        crate::say(&format!("written to {}", path.display()));
        Ok(())
    }
}

fn slope(points: &[(f64, f64)]) -> Option<f64> {
    if points.len() < 2 {
        return None;
    }
    let count = points.len() as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let covariance: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let variance: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    (variance > 0.0).then(|| covariance / variance)
}
