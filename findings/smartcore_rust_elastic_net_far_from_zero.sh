#!/usr/bin/env bash
# smartcore 0.7.0 (Rust): the coefficients of `ElasticNet` depend on where the labels lie: with 100 added to every
# label, which should move the intercept alone, they change their sign. The quadratic penalty is put in as rows of zeros
# below the table, and the mean of the labels is taken off these rows as well, so that each of them pulls its
# coefficient below zero by as much as the labels are above it. Labels with a mean of zero are not affected, nor is
# `Lasso` on the same rows. Nothing is said. Prices, temperatures in Kelvin and years are labels far from zero: the more
# penalty, the larger the coefficients.
#
# Seen, of 60 rows with y = a - b + a constant, penalty 1, half of it quadratic, coefficients of a and b: labels with
#   the mean 0 0.57 and -0.62, 100 -2.69 and -2.47, 10,000 -345.15 and -186.05; lasso 0.85 and -0.92 for all three
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "finding"
version = "0.1.0"
edition = "2021"

[dependencies]
smartcore = "=0.7.0"
TOML
cat >src/main.rs <<'RUST'
use smartcore::linalg::basic::arrays::Array;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::linear::elastic_net::{ElasticNet, ElasticNetParameters};
use smartcore::linear::lasso::{Lasso, LassoParameters};

fn main() {
    let rows: Vec<Vec<f64>> = (0..60).map(|row| vec![f64::from(row % 6), f64::from(row * 7 % 11)]).collect();
    let table = DenseMatrix::from_2d_vec(&rows).unwrap();
    let mean = rows.iter().map(|row| row[0] - row[1]).sum::<f64>() / 60.0;
    for label in [0.0, 100.0, 10000.0] {
        let values: Vec<f64> = rows.iter().map(|row| row[0] - row[1] - mean + label).collect();
        let net = ElasticNetParameters::default().with_alpha(1.0).with_l1_ratio(0.5);
        let net = ElasticNet::fit(&table, &values, net).unwrap();
        let lasso = Lasso::fit(&table, &values, LassoParameters::default().with_alpha(0.5)).unwrap();
        let both = |of: &dyn Array<f64, (usize, usize)>| format!("{:.2} {:.2}", of.get((0, 0)), of.get((1, 0)));
        println!("mean label {label}: elastic net {}, lasso {}", both(net.coefficients()), both(lasso.coefficients()));
    }
}
RUST
found=$(cargo run --quiet 2>cargo.log)
echo "smartcore 0.7.0:"
echo "$found"
[ "$found" = "mean label 0: elastic net 0.57 -0.62, lasso 0.85 -0.92
mean label 100: elastic net -2.69 -2.47, lasso 0.85 -0.92
mean label 10000: elastic net -345.15 -186.05, lasso 0.85 -0.92" ]
