//! Line charts as SVG: the same data makes the same bytes.
//!
//! Readable on paper, on a dark page and without colour: every line has a mark of its own. What is drawn and why is for
//! whoever calls.

use std::fmt::Write as _;

/// One chart.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// What is across.
    pub x_label: String,
    /// What is upwards.
    pub y_label: String,
    /// Whether every step across is ten times the one before.
    pub x_log: bool,
    /// Whether every step upwards is ten times the one before.
    pub y_log: bool,
    /// The lines.
    pub series: Vec<Series>,
}

/// One line.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// What stands at its end.
    pub name: String,
    /// Where it goes, in order. What has no place, such as 0 on a logarithmic axis, is left out.
    pub points: Vec<(f64, f64)>,
    /// What points stand for, where that is more than one height: x, the least and the most.
    pub ranges: Vec<(f64, f64, f64)>,
}

/// The frame that points stay within.
const LEFT: f64 = 64.0;
const TOP: f64 = 76.0;
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 330.0;
const BELOW: f64 = 58.0;
/// What keeps a line at the edge of the frame from being cut, and a mark there off the axis.
const LABEL_HEIGHT: f64 = 18.0;
/// A character of the labels is about this wide.
const CHARACTER: f64 = 7.2;
/// Colours that most kinds of colour blindness tell apart (Okabe and Ito 2008), the light ones a little darker.
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#00805e", "#b0508a", "#a87900", "#2f8fc4", "#222222"];
const MARK: f64 = 4.0;

/// One axis: its ends and where its ticks are, as values.
struct Axis {
    low: f64,
    high: f64,
    log: bool,
    ticks: Vec<f64>,
    /// Lines without a label.
    minor: Vec<f64>,
}

impl Chart {
    /// The chart as an SVG document.
    #[must_use]
    pub fn svg(&self) -> String {
        let has_place = |(x, y): &(f64, f64)| {
            x.is_finite() && y.is_finite() && (!self.x_log || *x > 0.0) && (!self.y_log || *y > 0.0)
        };
        let lines: Vec<Vec<(f64, f64)>> =
            self.series.iter().map(|series| series.points.iter().copied().filter(has_place).collect()).collect();
        let x_axis = Axis::new(lines.iter().flatten().map(|point| point.0), self.x_log, false);
        let ranges: Vec<Vec<(f64, f64, f64)>> = self
            .series
            .iter()
            .map(|series| {
                let drawn = series.ranges.iter().copied();
                drawn.filter(|(x, low, high)| low < high && has_place(&(*x, *low)) && has_place(&(*x, *high))).collect()
            })
            .collect();
        let ends = ranges.iter().flatten().flat_map(|(_, low, high)| [*low, *high]);
        let y_axis = Axis::new(lines.iter().flatten().map(|point| point.1).chain(ends), self.y_log, true);
        let longest = self.series.iter().map(|series| series.name.chars().count()).max().unwrap_or(0);
        let named = if longest == 0 { 24.0 } else { 52.0 + CHARACTER * longest as f64 };
        let (width, height) = ((LEFT + WIDTH + named).ceil(), TOP + HEIGHT + BELOW);

        let mut svg = String::new();
        // Writing to a string cannot fail.
        let _ = write!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
             height=\"{height:.0}\" role=\"img\" font-family=\"system-ui, 'Segoe UI', Helvetica, Arial, sans-serif\" \
             font-size=\"13\">\n<title>{title}</title>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
             <text x=\"20\" y=\"30\" font-size=\"17\" font-weight=\"600\" fill=\"#222222\">{title}</text>\n\
             <text x=\"20\" y=\"54\" fill=\"#555555\">{y_label}</text>\n\
             <text x=\"{middle:.1}\" y=\"{bottom:.1}\" text-anchor=\"middle\" fill=\"#555555\">{x_label}</text>\n",
            title = escaped(&self.title),
            y_label = escaped(&self.y_label),
            x_label = escaped(&self.x_label),
            middle = LEFT + WIDTH / 2.0,
            bottom = height - 14.0,
        );
        draw_grid(&mut svg, &x_axis, &y_axis);
        let places: Vec<Vec<(f64, f64)>> = lines
            .iter()
            .map(|line| line.iter().map(|(x, y)| (LEFT + x_axis.part(*x) * WIDTH, up(y_axis.part(*y)))).collect())
            .collect();
        for (number, (line, ranges)) in places.iter().zip(&ranges).enumerate() {
            for (x, low, high) in ranges {
                let (x, low, high) = (LEFT + x_axis.part(*x) * WIDTH, up(y_axis.part(*low)), up(y_axis.part(*high)));
                draw_range(&mut svg, number, x, low, high);
            }
            draw_line(&mut svg, number, line);
        }
        self.draw_names(&mut svg, &places);
        svg.push_str("</svg>\n");
        svg
    }

    /// The names, right of the frame where no line comes, each as near to the end of its line as the others allow.
    fn draw_names(&self, svg: &mut String, places: &[Vec<(f64, f64)>]) {
        let ends = places.iter().map(|line| line.last().map(|(_, y)| *y)).enumerate();
        let mut ends: Vec<(usize, f64)> = ends.filter_map(|(number, y)| Some((number, y?))).collect();
        ends.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        let heights = spread(&ends.iter().map(|(_, y)| *y).collect::<Vec<f64>>());
        for ((number, end), y) in ends.into_iter().zip(heights) {
            let colour = COLOURS[number % COLOURS.len()];
            let (edge, x) = (LEFT + WIDTH, LEFT + WIDTH + 26.0);
            let reaches_edge = places[number].last().is_some_and(|(x, _)| *x > edge - 1.0);
            if reaches_edge {
                let _ = writeln!(
                    svg,
                    "<path d=\"M{:.1} {end:.1}L{:.1} {y:.1}\" fill=\"none\" stroke=\"{colour}\" stroke-opacity=\"0.45\"/>",
                    edge + MARK + 2.0,
                    x - MARK - 3.0,
                );
            }
            draw_mark(svg, number, x, y);
            let name = escaped(&self.series[number].name);
            let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{name}</text>", x + 11.0, y + 4.5);
        }
    }
}

fn draw_grid(svg: &mut String, x_axis: &Axis, y_axis: &Axis) {
    let (right, bottom) = (LEFT + WIDTH, TOP + HEIGHT);
    for (axis, is_x) in [(x_axis, true), (y_axis, false)] {
        let minor = axis.minor.iter().map(|value| (value, "#f2f2f2", false));
        let major = axis.ticks.iter().map(|value| (value, "#dddddd", true));
        for (value, colour, labelled) in minor.chain(major) {
            let (x, y) = (LEFT + axis.part(*value) * WIDTH, up(axis.part(*value)));
            let (from, to) = if is_x { ((x, TOP), (x, bottom)) } else { ((LEFT, y), (right, y)) };
            let _ =
                writeln!(svg, "<path d=\"M{:.1} {:.1}L{:.1} {:.1}\" stroke=\"{colour}\"/>", from.0, from.1, to.0, to.1);
            if labelled {
                let (anchor, x, y) = if is_x { ("middle", x, bottom + 19.0) } else { ("end", LEFT - 9.0, y + 4.5) };
                let label = short(*value);
                let _ = writeln!(
                    svg,
                    "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#555555\">{label}</text>"
                );
            }
        }
    }
    let _ = writeln!(svg, "<path d=\"M{LEFT:.1} {bottom:.1}L{right:.1} {bottom:.1}\" stroke=\"#555555\"/>");
}

fn draw_line(svg: &mut String, number: usize, line: &[(f64, f64)]) {
    let colour = COLOURS[number % COLOURS.len()];
    let points: Vec<String> = line.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    if line.len() > 1 {
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-linejoin=\"round\"/>",
            points.join(" ")
        );
    }
    for (x, y) in line {
        draw_mark(svg, number, *x, *y);
    }
}

/// From the least to the most, with a bar at either end.
fn draw_range(svg: &mut String, number: usize, x: f64, low: f64, high: f64) {
    let colour = COLOURS[number % COLOURS.len()];
    let (left, right) = (x - MARK, x + MARK);
    let _ = writeln!(
        svg,
        "<path d=\"M{left:.1} {high:.1}L{right:.1} {high:.1}M{x:.1} {high:.1}L{x:.1} {low:.1}M{left:.1} {low:.1}\
         L{right:.1} {low:.1}\" fill=\"none\" stroke=\"{colour}\"/>"
    );
}

/// A mark that differs from those of the other lines in more than colour.
fn draw_mark(svg: &mut String, number: usize, x: f64, y: f64) {
    let colour = COLOURS[number % COLOURS.len()];
    // Every second round of marks is hollow, so that twelve lines differ.
    let fill = if (number / 6).is_multiple_of(2) { colour } else { "#ffffff" };
    let (small, large) = (MARK * 0.9, MARK * 1.25);
    let corners: &[(f64, f64)] = match number % 6 {
        0 => {
            let _ = writeln!(
                svg,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{MARK:.1}\" fill=\"{fill}\" stroke=\"{colour}\"/>"
            );
            return;
        }
        1 => &[(-small, -small), (small, -small), (small, small), (-small, small)],
        2 => &[(0.0, -large), (large, small), (-large, small)],
        3 => &[(0.0, -large), (large, 0.0), (0.0, large), (-large, 0.0)],
        4 => &[(0.0, large), (large, -small), (-large, -small)],
        _ => &[(-large, -1.2), (large, -1.2), (large, 1.2), (-large, 1.2)],
    };
    let corners: Vec<String> = corners.iter().map(|(dx, dy)| format!("{:.1},{:.1}", x + dx, y + dy)).collect();
    let _ = writeln!(svg, "<polygon points=\"{}\" fill=\"{fill}\" stroke=\"{colour}\"/>", corners.join(" "));
}

impl Axis {
    fn new(values: impl Iterator<Item = f64>, log: bool, upwards: bool) -> Axis {
        let (low, high) =
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = if low <= high { (low, high) } else { (1.0, 10.0) };
        if log { Axis::decades(low, high) } else { Axis::even(low, high, upwards) }
    }

    fn decades(low: f64, high: f64) -> Axis {
        // A hair less and more, lest 1000 be one decade above itself.
        let (first, last) = ((low.log10() + 1e-9).floor(), (high.log10() - 1e-9).ceil());
        let last = last.max(first + 1.0);
        let step = ((last - first) / 8.0).ceil();
        let decade = |place: f64| 10_f64.powf(place).to_string().parse().unwrap_or(10_f64.powf(place));
        let count = steps(last - first);
        let ticks = (0..=count).map(|n| first + f64::from(n)).filter(|place| (place - first) % step == 0.0);
        let ticks: Vec<f64> = ticks.map(decade).collect();
        let minor = if count > 4 {
            Vec::new()
        } else {
            (0..count).flat_map(|n| (2..10).map(move |m| f64::from(m) * decade(first + f64::from(n)))).collect()
        };
        Axis { low: 10_f64.powf(first), high: 10_f64.powf(last), log: true, ticks, minor }
    }

    /// Round ends and round steps: 1, 2 or 5 times a power of ten. Upwards it starts at 0 where nothing is below.
    fn even(low: f64, high: f64, upwards: bool) -> Axis {
        let low = if upwards && low > 0.0 { 0.0 } else { low };
        // Ends that are all but one and the same would leave no number between them for a tick.
        let high = if high - low > low.abs() * 1e-9 { high } else { low + low.abs().max(1.0) };
        let rough = (high - low) / 7.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|times| times * power).find(|step| *step >= rough * 0.999);
        let step = step.unwrap_or(power * 10.0);
        let (first, last) = ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil());
        let ticks = (0..=steps(last - first)).map(|n| (first + f64::from(n)) * step).collect();
        Axis { low: first * step, high: last * step, log: false, ticks, minor: Vec::new() }
    }

    /// How far along the axis a value is, from 0 to 1.
    fn part(&self, value: f64) -> f64 {
        let scale = |value: f64| if self.log { value.log10() } else { value };
        let part = (scale(value) - scale(self.low)) / (scale(self.high) - scale(self.low));
        if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.0 }
    }
}

/// How many steps there are between two ends that are a few apart.
fn steps(apart: f64) -> u16 {
    (0..1000).find(|n| f64::from(*n) + 0.5 > apart).unwrap_or(1000)
}

fn up(part: f64) -> f64 {
    TOP + HEIGHT - part * HEIGHT
}

/// Heights in ascending order, moved as little as it takes for a label to fit between each two, and within the frame.
fn spread(heights: &[f64]) -> Vec<f64> {
    let room = HEIGHT / heights.len().max(1) as f64;
    let gap = LABEL_HEIGHT.min(room);
    let mut spread: Vec<f64> = Vec::new();
    for height in heights {
        let least = spread.last().map_or(TOP, |above| above + gap);
        spread.push(height.max(least));
    }
    let mut most = TOP + HEIGHT;
    for height in spread.iter_mut().rev() {
        *height = height.min(most);
        most = *height - gap;
    }
    spread
}

/// A round number in few characters: 500, 10 k, 2 M.
fn short(value: f64) -> String {
    let size = value.abs();
    let units = [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    for (unit, name) in units {
        if size >= unit * 0.999_999 {
            return format!("{} {name}", plain(value / unit));
        }
    }
    if size != 0.0 && size < 0.000_999 { format!("{value:.0e}") } else { plain(value) }
}

fn plain(value: f64) -> String {
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// Text of strangers as text of SVG. What XML cannot hold at all becomes a replacement character.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(x_log: bool, y_log: bool, lines: &[(&str, &[(f64, f64)])]) -> Chart {
        let series = lines.iter().map(|(name, points)| Series {
            name: (*name).to_owned(),
            points: points.to_vec(),
            ranges: Vec::new(),
        });
        Chart {
            title: "Copies & <echoes>".to_owned(),
            x_label: "servents".to_owned(),
            y_label: "copies \"in all\"\u{1}".to_owned(),
            x_log,
            y_log,
            series: series.collect(),
        }
    }

    #[test]
    fn a_range_is_drawn_where_there_is_one() {
        let mut chart = chart(false, true, &GROWTH[..1]);
        let bare = chart.svg();
        chart.series[0].ranges = vec![(100.0, 701.0, 701.0), (1e3, 0.0, 7001.0)];
        assert_eq!(chart.svg(), bare, "nothing between, and nothing that has a place");
        chart.series[0].ranges.push((1e4, 12_006.0, 67_909.0));
        let ranged = chart.svg();
        check_tags(&ranged);
        assert_eq!(ranged.lines().count(), bare.lines().count() + 1);
        chart.series[0].ranges.push((1e5, 5e5, 2e9));
        assert!(chart.svg().contains(">1 G</text>"), "the axis reaches to its end");
    }

    const GROWTH: [(&str, &[(f64, f64)]); 4] = [
        ("random", &[(100.0, 701.0), (1e3, 7001.0), (1e4, 70_001.0), (1e5, 7e5), (1e6, 7e6)]),
        ("small-world", &[(100.0, 650.0), (1e3, 6000.0), (1e4, 6e4), (1e5, 5.8e5), (1e6, 6.1e6)]),
        ("scale-free", &[(100.0, 600.0), (1e3, 5000.0), (1e4, 40_000.0), (1e5, 3e5)]),
        ("grid", &[(100.0, 24.0), (1e3, 24.0), (1e4, 24.0), (1e5, 24.0), (1e6, 24.0)]),
    ];

    /// Fails unless every tag that opens closes, in order, and no text holds what must be escaped.
    fn check_tags(svg: &str) {
        let mut open = Vec::new();
        let mut rest = svg;
        while let Some(start) = rest.find('<') {
            assert!(!rest[..start].contains('>'), "{}", &rest[..start]);
            let end = start + rest[start..].find('>').unwrap();
            let tag = &rest[start + 1..end];
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name));
            } else if !tag.ends_with('/') {
                open.push(tag.split(' ').next().unwrap());
            }
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
            rest = &rest[end + 1..];
        }
        assert!(open.is_empty() && rest.trim().is_empty(), "{open:?}");
        for (place, _) in svg.match_indices('&') {
            assert!(["&amp;", "&lt;", "&gt;", "&quot;"].iter().any(|name| svg[place..].starts_with(name)));
        }
    }

    fn lines(svg: &str) -> Vec<Vec<(f64, f64)>> {
        let points = svg.lines().filter_map(|line| line.strip_prefix("<polyline points=\"")?.split('"').next());
        let point = |text: &str| text.split_once(',').map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap())).unwrap();
        points.map(|points| points.split(' ').map(point).collect()).collect()
    }

    fn labels(svg: &str) -> Vec<&str> {
        svg.lines().filter_map(|line| line.strip_suffix("</text>")?.rsplit('>').next()).collect()
    }

    #[test]
    fn a_chart_is_sound_and_stays_in_its_frame() {
        for (x_log, y_log) in [(false, false), (false, true), (true, false), (true, true)] {
            let chart = chart(x_log, y_log, &GROWTH);
            let svg = chart.svg();
            check_tags(&svg);
            assert_eq!(svg, chart.svg());
            assert!(svg.contains("<title>Copies &amp; &lt;echoes&gt;</title>"));
            assert!(svg.contains("copies &quot;in all&quot;\u{fffd}<"));
            let lines = lines(&svg);
            assert_eq!(lines.iter().map(Vec::len).collect::<Vec<_>>(), [5, 5, 4, 5]);
            for (x, y) in lines.into_iter().flatten() {
                assert!((LEFT..=LEFT + WIDTH).contains(&x) && (TOP..=TOP + HEIGHT).contains(&y), "{x} {y}");
            }
            for (name, _) in GROWTH {
                assert!(labels(&svg).contains(&name));
            }
        }
    }

    #[test]
    fn ticks_are_round() {
        let both = |low, high| chart(false, false, &[("", &[(low, low), (high, high)])]).svg();
        let svg = both(1.0, 15.0);
        let across = ["0", "2", "4", "6", "8", "10", "12", "14", "16"];
        assert_eq!(labels(&svg)[3..12], across);
        assert!(labels(&both(0.0, 1.0)).contains(&"0.2"));
        assert!(labels(&both(0.0, 1e6)).contains(&"200 k"));
        assert!(labels(&both(-5.0, 5.0)).contains(&"-4"));
        let svg = chart(true, true, &GROWTH).svg();
        let decades = ["100", "1 k", "10 k", "100 k", "1 M", "10", "100", "1 k", "10 k", "100 k", "1 M", "10 M"];
        assert_eq!(labels(&svg)[3..15], decades);
        for (value, label) in [(0.0, "0"), (0.001, "0.001"), (0.00001, "1e-5"), (2.5e9, "2.5 G"), (1e13, "10 T")] {
            assert_eq!(short(value), label);
        }
    }

    #[test]
    fn what_has_no_place_is_left_out() {
        let points: &[(f64, f64)] =
            &[(0.0, 5.0), (1.0, 0.0), (1.0, 1.0), (10.0, -1.0), (10.0, 10.0), (f64::NAN, 3.0), (3.0, f64::INFINITY)];
        assert_eq!(lines(&chart(true, true, &[("a", points)]).svg())[0].len(), 2);
        assert_eq!(lines(&chart(false, true, &[("a", points)]).svg())[0].len(), 3);
        assert_eq!(lines(&chart(false, false, &[("a", points)]).svg())[0].len(), 5);
    }

    #[test]
    fn little_is_enough() {
        for points in [&[][..], &[(0.0, 0.0)], &[(7.0, 7.0)], &[(1e300, 1e-300)], &[(1e-300, 1e300), (1.0, 1.0)]] {
            for log in [false, true] {
                let svg = chart(log, log, &[("one", points)]).svg();
                check_tags(&svg);
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            }
        }
        check_tags(&Chart::default().svg());
    }

    #[test]
    fn names_never_meet() {
        for heights in [vec![80.0; 4], vec![400.0; 4], vec![80.0, 81.0, 240.0, 241.0, 250.0, 405.0, 406.0], vec![]] {
            let spread = spread(&heights);
            assert!(spread.windows(2).all(|pair| pair[1] - pair[0] > LABEL_HEIGHT - 0.001), "{spread:?}");
            assert!(spread.iter().all(|height| (TOP - 0.001..=TOP + HEIGHT).contains(height)), "{spread:?}");
        }
        assert_eq!(spread(&[100.0, 200.0]), [100.0, 200.0]);
        let crowd = spread(&[200.0; 50]);
        assert!(crowd.windows(2).all(|pair| pair[1] > pair[0]) && crowd[0] >= TOP - 0.001);
    }

    #[test]
    fn twelve_lines_differ_without_colour() {
        let mark = |number| {
            let mut svg = String::new();
            draw_mark(&mut svg, number, 100.0, 100.0);
            svg.replace(COLOURS[number % COLOURS.len()], "black")
        };
        let marks: std::collections::BTreeSet<String> = (0..12).map(mark).collect();
        assert_eq!(marks.len(), 12);
    }
}
