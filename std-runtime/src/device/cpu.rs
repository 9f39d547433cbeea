use dfdx::tensor::{Cpu, Storage};

use super::Backend;

macro_rules! backend {
    ($element:ty) => {
        impl Backend<$element> for Cpu {
            const PARTS: usize = 4;

            fn overwrite(
                &self,
                buffer: &mut <Self as Storage<$element>>::Vec,
                values: &[$element],
            ) {
                buffer.copy_from_slice(values);
            }

            fn read(&self, buffer: &<Self as Storage<$element>>::Vec) -> Vec<$element> {
                buffer.to_vec()
            }

            fn sum_of_squares(&self, buffer: &<Self as Storage<$element>>::Vec) -> f64 {
                buffer.iter().map(|x| *x as f64 * *x as f64).sum()
            }

            fn add(
                &self,
                buffer: &mut <Self as Storage<$element>>::Vec,
                other: &<Self as Storage<$element>>::Vec,
            ) {
                buffer.iter_mut().zip(other.iter()).for_each(|(x, y)| *x += *y);
            }

            fn scale(&self, buffer: &mut <Self as Storage<$element>>::Vec, factor: $element) {
                buffer.iter_mut().for_each(|x| *x *= factor);
            }
        }
    };
}

backend!(f32);
backend!(f64);
