//! What is released cannot be made to die: the variable that would is not in it.

fn names_the_variable() -> bool {
    let program = std::fs::read(env!("CARGO_BIN_EXE_fwmarkctl")).expect("the program");
    let name = b"FWMARKCTL_DIE_AT";
    program.windows(name.len()).any(|window| window[0] == name[0] && window == name)
}

#[test]
#[cfg(not(feature = "fail-points"))]
fn a_build_without_the_feature_does_not_know_the_variable() {
    assert!(!names_the_variable());
}

#[test]
#[cfg(feature = "fail-points")]
fn a_build_with_the_feature_knows_the_variable() {
    assert!(names_the_variable());
}
