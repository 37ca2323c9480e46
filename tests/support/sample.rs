//! Long matrices: whole in `make soak`, a part of them in `make test`.

use super::Result;

/// The seed of whoever draws at random: that of the environment, or a new one. It is printed, so that a failure says how
/// to repeat it.
pub fn seed(variable: &str) -> Result<u64> {
    let seed = match std::env::var(variable) {
        Ok(seed) => seed.parse()?,
        Err(_) => fastrand::u64(..),
    };
    println!("{variable}={seed} repeats what was drawn at random");
    Ok(seed)
}

/// Whether everything is to be tried.
pub fn is_soak() -> bool {
    std::env::var_os("PLUVO_SOAK").is_some()
}

/// So many of them, drawn with the seed of `variable`; all of them in a soak.
pub fn sample<T>(variable: &str, mut all: Vec<T>, count: usize) -> Result<Vec<T>> {
    let mut random = fastrand::Rng::with_seed(seed(variable)?);
    random.shuffle(&mut all);
    if !is_soak() {
        all.truncate(count);
    }
    Ok(all)
}
