//! Making and keeping metrics of one process, and their text. A handle is made once and then
//! costs an atomic or a short lock; series that events name are found without making a string,
//! and there are no more of them than a bound.

use std::sync::LazyLock;
use std::sync::atomic::AtomicU64;

use parking_lot::{Mutex, RwLock};
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric as Registered, Registry};

use super::process::Process;
use super::words::{Kind, Metric};

/// The media type of [`text()`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What stands for labels beyond a bound.
const OTHER: &str = "other";

/// The labels of a series.
pub(super) type Labels = Vec<(&'static str, String)>;

/// A number that may be broken.
pub type FloatGauge = Gauge<f64, AtomicU64>;
/// A sum of broken numbers.
pub type FloatCounter = Counter<f64, AtomicU64>;

static REGISTRY: LazyLock<Mutex<Registry>> = LazyLock::new(|| {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Process));
    Mutex::new(registry)
});

/// Everything this process has measured, in the text format of OpenMetrics.
#[must_use]
pub fn text() -> String {
    let mut page = String::new();
    // Writing into a string fails only where a metric does.
    if let Err(error) = text::encode(&mut page, &REGISTRY.lock()) {
        tracing::warn!(%error, "metrics not written");
    }
    page
}

/// What is known of a metric in words of the library: it puts `_total` and the full stop itself.
fn keep(metric: &Metric, handle: impl Registered) {
    let name = metric.name.strip_suffix("_total").unwrap_or(metric.name);
    REGISTRY.lock().register(name, metric.help, handle);
}

pub(super) fn counter(metric: &Metric) -> Counter {
    let counter = Counter::default();
    keep(metric, counter.clone());
    counter
}

pub(super) fn histogram(metric: &Metric) -> Histogram {
    let histogram = Bounds::of(metric).new_metric();
    keep(metric, histogram.clone());
    histogram
}

/// Makes the histograms of a family.
#[derive(Debug, Clone, Copy)]
pub struct Bounds(&'static [f64]);

impl Bounds {
    fn of(metric: &Metric) -> Self {
        Self(match metric.kind {
            Kind::Histogram(buckets) => buckets.bounds(),
            Kind::Counter | Kind::Gauge => &[],
        })
    }
}

impl MetricConstructor<Histogram> for Bounds {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

/// Numbers that are told anew as a whole, or not at all while nobody knows them.
#[derive(Debug)]
pub struct Told<N: Clone + Default + Send + Sync + 'static> {
    labels: &'static [&'static str],
    family: Family<Labels, N>,
}

/// Whole numbers that are told anew.
pub type Numbers = Told<Gauge>;
/// Broken numbers that are told anew.
pub type Fractions = Told<FloatGauge>;

impl Numbers {
    pub(super) fn new(metric: &Metric) -> Self {
        let family = Family::default();
        keep(metric, family.clone());
        Self { labels: metric.labels, family }
    }

    /// These numbers, by the values of the labels, and no others.
    pub fn tell<'a>(&self, numbers: impl IntoIterator<Item = (&'a [&'a str], u64)>) {
        self.family.clear();
        for (values, number) in numbers {
            self.set(values, number);
        }
    }

    /// This number beside what was told before.
    pub fn set(&self, values: &[&str], number: u64) {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        self.family.get_or_create(&labels(self.labels, values)).set(number);
    }
}

impl Fractions {
    pub(super) fn new(metric: &Metric) -> Self {
        let family = Family::default();
        keep(metric, family.clone());
        Self { labels: metric.labels, family }
    }

    /// This number, or none.
    pub fn tell(&self, number: Option<f64>) {
        self.family.clear();
        if let Some(number) = number {
            self.family.get_or_create(&labels(self.labels, &[])).set(number);
        }
    }
}

fn labels(names: &[&'static str], values: &[&str]) -> Labels {
    names.iter().copied().zip(values.iter().map(|value| (*value).to_owned())).collect()
}

/// The series of a metric by what events name, up to a bound; those beyond it share one.
#[derive(Debug)]
pub struct Series<M: Clone, C = fn() -> M> {
    labels: &'static [&'static str],
    max: usize,
    family: Family<Labels, M, C>,
    /// In order of the values of the labels.
    known: RwLock<Vec<(Vec<String>, M)>>,
}

/// Counters by what events name.
pub type Counters = Series<Counter>;
/// Sums by what events name.
pub type Sums = Series<FloatCounter>;
/// Histograms by what events name.
pub type Histograms = Series<Histogram, Bounds>;

impl Counters {
    pub(super) fn new(metric: &Metric, max: usize) -> Self {
        Self::made(metric, max, Family::default())
    }
}

impl Sums {
    pub(super) fn new(metric: &Metric, max: usize) -> Self {
        Self::made(metric, max, Family::default())
    }
}

impl Histograms {
    pub(super) fn new(metric: &Metric, max: usize) -> Self {
        Self::made(metric, max, Family::new_with_constructor(Bounds::of(metric)))
    }
}

impl<M, C> Series<M, C>
where
    M: Clone + 'static,
    C: MetricConstructor<M> + Clone + Send + Sync + 'static,
    Family<Labels, M, C>: Registered,
{
    fn made(metric: &Metric, max: usize, family: Family<Labels, M, C>) -> Self {
        keep(metric, family.clone());
        Self { labels: metric.labels, max, family, known: RwLock::default() }
    }

    /// The series with these values. Beyond the bound the first of them is `other`.
    pub fn of(&self, values: &[&str]) -> M {
        if let Ok(found) = find(&self.known.read(), values) {
            return found;
        }
        let mut known = self.known.write();
        let mut values = values.to_vec();
        if let (true, Some(first)) = (known.len() >= self.max && find(&known, &values).is_err(), values.first_mut()) {
            *first = OTHER;
        }
        match find(&known, &values) {
            Ok(found) => found,
            Err(place) => {
                let made = self.family.get_or_create_owned(&labels(self.labels, &values));
                known.insert(place, (values.iter().map(|value| (*value).to_owned()).collect(), made.clone()));
                made
            }
        }
    }
}

fn find<M: Clone>(known: &[(Vec<String>, M)], values: &[&str]) -> Result<M, usize> {
    let place = known.binary_search_by(|(own, _)| own.iter().map(String::as_str).cmp(values.iter().copied()))?;
    known.get(place).map(|(_, made)| made.clone()).ok_or(place)
}

#[cfg(test)]
mod tests {
    use super::super::words::{Buckets, Of};
    use super::*;

    const fn metric(name: &'static str, kind: Kind, labels: &'static [&'static str]) -> Metric {
        Metric { name, kind, of: Of::Process, labels, help: "A trial" }
    }

    fn lines(name: &str) -> Vec<String> {
        text().lines().filter(|line| line.contains(name) && !line.starts_with('#')).map(str::to_owned).collect()
    }

    #[test]
    fn labels_beyond_the_bound_share_a_series() {
        let counters = Counters::new(&metric("trial_bound_total", Kind::Counter, &["queue"]), 2);
        for queue in ["a", "b", "c", "d", "a"] {
            counters.of(&[queue]).inc();
        }
        let mut found = lines("trial_bound");
        found.sort();
        let wanted = [r#"{queue="a"} 2"#, r#"{queue="b"} 1"#, r#"{queue="other"} 2"#];
        assert_eq!(found, wanted.map(|rest| format!("trial_bound_total{rest}")));
    }

    #[test]
    fn what_is_told_anew_replaces_what_was_told() {
        let told = Numbers::new(&metric("trial_told", Kind::Gauge, &["status"]));
        told.tell([(&["x"][..], 1), (&["y"][..], 2)]);
        told.tell([(&["y"][..], 3)]);
        assert_eq!(lines("trial_told"), [r#"trial_told{status="y"} 3"#]);
        told.tell([]);
        assert!(lines("trial_told").is_empty());
    }

    #[test]
    fn a_histogram_counts_in_its_bounds() {
        let wait = metric("trial_wait_seconds", Kind::Histogram(Buckets::Wait), &["queue"]);
        Histograms::new(&wait, 9).of(&["io.normal"]).observe(0.3);
        let found = lines("trial_wait_seconds");
        assert!(found.contains(&r#"trial_wait_seconds_bucket{le="0.25",queue="io.normal"} 0"#.to_owned()), "{found:?}");
        assert!(found.contains(&r#"trial_wait_seconds_bucket{le="0.5",queue="io.normal"} 1"#.to_owned()), "{found:?}");
        assert!(found.contains(&r#"trial_wait_seconds_count{queue="io.normal"} 1"#.to_owned()), "{found:?}");
    }

    #[test]
    fn the_page_ends_as_the_format_wants_and_tells_of_the_process() {
        let page = text();
        assert!(page.ends_with("# EOF\n"));
        if cfg!(target_os = "linux") {
            assert!(page.contains("\nprocess_resident_memory_bytes ") && page.contains("\nprocess_cpu_seconds_total "));
        }
    }
}
