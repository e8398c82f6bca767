//! The measuring part of `benches/run`: starts programs with `posix_spawn`, in varying order, and prints medians.
//!
//! Compiled by `rustc` alone, without crates, so that it is small: a child's peak memory includes its parent's.
//!
//! A case is a line `name<TAB>request file<TAB>VARIABLE=value …<TAB>program and arguments`, separated by spaces.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["alternate", rounds, cases] => alternate(rounds.parse().unwrap(), cases, false),
        ["cold", rounds, cases] => alternate(rounds.parse().unwrap(), cases, true),
        ["together", count, rounds, cases] => {
            together(count.parse().unwrap(), rounds.parse().unwrap(), cases)
        }
        ["serve", port_file] => serve(port_file),
        ["chart", table, file] => {
            fs::write(file, chart(&fs::read_to_string(table).unwrap())).unwrap()
        }
        _ => panic!(
            "usage: bench alternate|cold ROUNDS CASES | together COUNT ROUNDS CASES | serve FILE | chart TABLE FILE"
        ),
    }
}

struct Case {
    name: String,
    request: String,
    variables: Vec<(String, String)>,
    program: Vec<String>,
}

fn cases(file: &str) -> Vec<Case> {
    let text = fs::read_to_string(file).unwrap();
    let case = |line: &str| {
        let parts: Vec<&str> = line.split('\t').collect();
        let words = |text: &str| {
            text.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let variables = words(parts[2])
            .iter()
            .map(|word| {
                let (name, value) = word.split_once('=').unwrap();
                (name.to_owned(), value.to_owned())
            })
            .collect();
        Case {
            name: parts[0].to_owned(),
            request: parts[1].to_owned(),
            variables,
            program: words(parts[3]),
        }
    };
    text.lines()
        .filter(|line| !line.is_empty())
        .map(case)
        .collect()
}

impl Case {
    /// Without `pre_exec` and the like, the standard library uses `posix_spawn`.
    fn start(&self) -> Child {
        Command::new(&self.program[0])
            .args(&self.program[1..])
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(File::open(&self.request).unwrap())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// Starts so many, as many threads as there are cores its share each, and waits for the last; in microseconds.
    fn at_once(&self, count: usize) -> f64 {
        let threads = cores().min(count);
        let share = |thread: usize| {
            let children: Vec<Child> = (thread..count)
                .step_by(threads)
                .map(|_| self.start())
                .collect();
            children.into_iter().for_each(|child| drop(wait(child)));
        };
        let start = Instant::now();
        std::thread::scope(|scope| {
            for thread in 1..threads {
                scope.spawn(move || share(thread));
            }
            share(0);
        });
        start.elapsed().as_secs_f64() * 1e6
    }

    /// A case that fails measures nothing.
    fn check(&self) {
        let status = self.start().wait().unwrap();
        assert!(status.success(), "{}: {status}", self.name);
    }
}

/// What one run cost.
#[derive(Default)]
struct Usage {
    micros: f64,
    /// In microseconds: what a busy machine changes little.
    processor: i64,
    kibibytes: i64,
    faults: i64,
}

fn alternate(rounds: usize, file: &str, cold: bool) {
    let cases = cases(file);
    let mut usages: BTreeMap<usize, Vec<Usage>> = BTreeMap::new();
    cases.iter().for_each(Case::check);
    let mut order: Vec<usize> = (0..cases.len()).collect();
    let mut seed = 1;
    for _ in 0..rounds {
        // Whoever runs after itself finds the processor's caches warm: each gets each as its predecessor.
        shuffle(&mut order, &mut seed);
        for &index in &order {
            let case = &cases[index];
            if cold {
                case.forget_pages();
            }
            let start = Instant::now();
            let child = case.start();
            let mut usage = wait(child);
            usage.micros = start.elapsed().as_secs_f64() * 1e6;
            usages.entry(index).or_default().push(usage);
        }
    }
    for (index, case) in cases.iter().enumerate() {
        let mut all = usages.remove(&index).unwrap();
        all.sort_by(|a, b| a.micros.total_cmp(&b.micros));
        let at = |part: f64| all[(part * (all.len() - 1) as f64) as usize].micros;
        let most = all.iter().map(|usage| usage.kibibytes).max().unwrap();
        let faults = all[all.len() / 2].faults;
        let mut processor: Vec<i64> = all.iter().map(|usage| usage.processor).collect();
        processor.sort_unstable();
        let processor = processor[processor.len() / 2];
        println!(
            "{}\t{:.0}\t{:.0}\t{:.0}\t{most}\t{faults}\t{processor}",
            case.name,
            at(0.5),
            at(0.1),
            at(0.9)
        );
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().unwrap().get()
}

/// Fisher and Yates, with the numbers of a linear congruence (Knuth's MMIX): the same order in each run.
fn shuffle(order: &mut [usize], seed: &mut u64) {
    for last in (1..order.len()).rev() {
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        order.swap(last, (*seed >> 33) as usize % (last + 1));
    }
}

/// All at once, each in its own process: the wall time of the last one, beside that of one alone, measured as above.
fn together(count: usize, rounds: usize, file: &str) {
    const ALONE: usize = 9;
    let cases = cases(file);
    let mut times = vec![(Vec::new(), Vec::new()); cases.len()];
    cases.iter().for_each(Case::check);
    let mut order: Vec<usize> = (0..cases.len()).collect();
    let mut seed = 1;
    for _ in 0..rounds {
        for _ in 0..ALONE {
            shuffle(&mut order, &mut seed);
            for &index in &order {
                times[index].0.push(cases[index].at_once(1));
            }
        }
        for &index in &order {
            times[index].1.push(cases[index].at_once(count));
        }
    }
    for (case, (mut one, mut all)) in cases.iter().zip(times) {
        let median = |times: &mut Vec<f64>| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        };
        let (one, all) = (median(&mut one), median(&mut all));
        let ratio = all / (count as f64 * one / cores() as f64);
        println!("{}\t{count}\t{one:.0}\t{all:.0}\t{ratio:.2}", case.name);
    }
}

#[repr(C)]
struct Rusage {
    times: [i64; 4],
    maxrss: i64,
    unused: [i64; 2],
    minflt: i64,
    majflt: i64,
    rest: [i64; 16],
}

unsafe extern "C" {
    fn wait4(pid: i32, status: *mut i32, options: i32, usage: *mut Rusage) -> i32;
    fn posix_fadvise(fd: i32, offset: i64, length: i64, advice: i32) -> i32;
}

fn wait(child: Child) -> Usage {
    let mut status = 0;
    let mut usage = Rusage {
        times: [0; 4],
        maxrss: 0,
        unused: [0; 2],
        minflt: 0,
        majflt: 0,
        rest: [0; 16],
    };
    let id = i32::try_from(child.id()).unwrap();
    // SAFETY: both pointers are to live values, and `Rusage` is at least as large as the kernel's.
    let ended = unsafe { wait4(id, &raw mut status, 0, &raw mut usage) };
    assert!(
        ended == id && status == 0,
        "a measured program failed: {status}"
    );
    let [seconds, micros, system_seconds, system_micros] = usage.times;
    Usage {
        micros: 0.0,
        processor: seconds * 1_000_000 + micros + system_seconds * 1_000_000 + system_micros,
        kibibytes: usage.maxrss,
        faults: usage.minflt + usage.majflt,
    }
}

impl Case {
    /// Drops the program and its files from the page cache, as far as nobody else has them mapped.
    fn forget_pages(&self) {
        use std::os::fd::AsRawFd as _;

        const DONTNEED: i32 = 4;
        let values = self.variables.iter().map(|(_, value)| value.clone());
        let dirs = values.filter(|value| fs::metadata(value).is_ok_and(|found| found.is_dir()));
        let inside = dirs
            .flat_map(|dir| fs::read_dir(dir).unwrap())
            .map(|entry| entry.unwrap().path());
        let paths = inside.chain(self.program.iter().map(Into::into));
        for file in paths
            .filter(|path| path.is_file())
            .filter_map(|path| File::open(path).ok())
        {
            file.sync_all().ok();
            // SAFETY: takes numbers only.
            unsafe { posix_fadvise(file.as_raw_fd(), 0, 0, DONTNEED) };
        }
    }
}

/// A token endpoint that grants whatever it is asked, at once; its port is written to a file.
fn serve(port_file: &str) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    fs::write(port_file, listener.local_addr().unwrap().port().to_string()).unwrap();
    for (number, stream) in listener.incoming().enumerate() {
        let Ok(mut stream) = stream else { continue };
        let mut request = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            let Ok(length @ 1..) = stream.read(&mut chunk) else {
                break;
            };
            request.extend_from_slice(&chunk[..length]);
            let text = String::from_utf8_lossy(&request);
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let announced = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse().ok())?
            });
            if body.len() >= announced.unwrap_or(0) {
                break;
            }
        }
        let body = format!(
            r#"{{"access_token":"sntryu_{number:064}","refresh_token":"sntryr_{number:064}","expires_in":2592000,"token_type":"bearer","scope":"","user":{{"id":"1","name":"Jane","email":"jane@example.com"}}}}"#
        );
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ";
        write!(stream, "{head}{}\r\n\r\n{body}", body.len()).ok();
    }
}

/// A bar for each `name<TAB>ratio`; ours are dark. A logarithmic scale, so that a half and a hundredfold both show.
fn chart(table: &str) -> String {
    const LEFT: f64 = 330.0;
    const WIDTH: f64 = 330.0;
    /// Where the bars begin.
    const LEAST: f64 = 0.1;
    let rows: Vec<(&str, f64)> = table
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(name, ratio)| (name, ratio.parse().unwrap()))
        .collect();
    let most = rows.iter().map(|(_, ratio)| *ratio).fold(1.0, f64::max);
    let long = |ratio: f64| WIDTH * (ratio / LEAST).ln().max(0.0) / (most / LEAST).ln();
    let height = 50 + 24 * rows.len();
    let one = LEFT + long(1.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 {height}\" width=\"760\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <title>One cached answer, as a multiple of git-credential-store get</title>\n\
         <rect width=\"760\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"10\" y=\"20\" font-weight=\"bold\">One cached answer; git-credential-store get = 1 (logarithmic scale, shorter is faster)</text>\n\
         <line x1=\"{one:.1}\" x2=\"{one:.1}\" y1=\"30\" y2=\"{}\" stroke=\"#c0392b\" stroke-dasharray=\"3 3\"/>\n",
        height - 10
    );
    for (index, (name, ratio)) in rows.iter().enumerate() {
        let y = 36 + 24 * index;
        let ours = name.contains("sentry") && !name.contains("official CLI:");
        let fill = if ours { "#4e2a9a" } else { "#b8b8c4" };
        svg += &format!(
            "<text x=\"{:.0}\" y=\"{}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LEFT:.0}\" y=\"{y}\" width=\"{:.1}\" height=\"17\" fill=\"{fill}\"/>\
             <text x=\"{:.1}\" y=\"{}\" stroke=\"#ffffff\" stroke-width=\"4\" paint-order=\"stroke\">{ratio:.2}</text>\n",
            LEFT - 8.0,
            y + 13,
            name.replace('&', "&amp;").replace('<', "&lt;"),
            long(*ratio),
            LEFT + long(*ratio) + 6.0,
            y + 13,
        );
    }
    svg + "</svg>\n"
}
