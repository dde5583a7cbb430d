//! The fuzz targets as an ordinary test: their corpus, real traffic and mutations of both, the same in every run.

#[path = "../fuzz/targets/mod.rs"]
mod targets;

use std::{panic, path::Path};

use traffic::Random;

use self::targets::{Material, Target};

/// Mutated inputs of each target. With more the test takes long; the fuzzer goes on from there.
const ROUNDS: usize = 1200;
/// Longest input that a mutation makes.
const LONGEST: usize = 8192;

/// Inputs worth changing: the corpus of the target, and traffic in the form that it takes.
fn seeds(target: &Target, material: &Material) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target.name);
    if let Ok(entries) = std::fs::read_dir(folder) {
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        seeds.extend(paths.iter().map(|path| std::fs::read(path).unwrap()));
    }
    seeds.extend((target.seeds)(material));
    seeds
}

fn mutate(random: &mut Random, bytes: &mut Vec<u8>, other: &[u8]) {
    let below = |random: &mut Random, limit: usize| usize::try_from(random.below(limit.max(1) as u64)).unwrap();
    for _ in 0..=below(random, 4) {
        let at = below(random, bytes.len());
        match below(random, 8) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, [0, b'\r', b'\n', b' ', b':', b';', b'<', b'"', 0xff, 0x80][below(random, 10)]),
            2 if at < bytes.len() => bytes[at] = random.next().to_le_bytes()[0],
            3 if at < bytes.len() => bytes[at] ^= 1 << below(random, 8),
            4 if at < bytes.len() => drop(bytes.remove(at)),
            5 => {
                let from = below(random, other.len());
                let part = &other[from..(from + below(random, 200)).min(other.len())];
                bytes.splice(at..at, part.iter().copied());
            }
            6 if at + 2 <= bytes.len() => bytes[at..at + 2].copy_from_slice(&random.next().to_le_bytes()[..2]),
            _ => {
                let end = (at + below(random, 64)).min(bytes.len());
                let part = bytes[at.min(end)..end].to_vec();
                bytes.extend(part);
            }
        }
    }
    bytes.truncate(LONGEST);
}

/// The first input on which a target fails.
fn first_failure(run: fn(&[u8]), seeds: &[Vec<u8>], rounds: usize) -> Option<Vec<u8>> {
    let mut random = Random::new(0x5eed);
    for round in 0..seeds.len() + rounds {
        let mut input = seeds[round % seeds.len()].clone();
        if round >= seeds.len() {
            let other = seeds[usize::try_from(random.below(seeds.len() as u64)).unwrap()].clone();
            mutate(&mut random, &mut input, &other);
        }
        if panic::catch_unwind(|| run(&input)).is_err() {
            return Some(input);
        }
    }
    None
}

#[test]
fn every_target_stands_its_corpus_and_mutations_of_it() {
    let material = Material::new();
    let mut failed = Vec::new();
    for target in targets::all() {
        let seeds = seeds(&target, &material);
        assert!(!seeds.is_empty(), "{} has nothing to begin with", target.name);
        if let Some(input) = first_failure(target.run, &seeds, ROUNDS) {
            let file = std::env::temp_dir().join(format!("callward-fuzz-{}", target.name));
            std::fs::write(&file, &input).unwrap();
            failed.push(format!("{}: the input is in {}", target.name, file.display()));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn each_folder_of_the_corpus_is_a_targets() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(targets::all().iter().any(|target| name == target.name), "{name:?} is no target");
    }
}

#[test]
fn a_target_that_fails_is_found() {
    let fails: fn(&[u8]) = |data| assert!(!data.windows(3).any(|text| text == b"abc"), "found");
    let input = first_failure(fails, &[b"abxbc".to_vec()], 100_000).expect("a mutation makes abc");
    assert!(input.windows(3).any(|text| text == b"abc"));
}
