const words = (text: string): readonly string[] => text.trim().split(/\s+/);

export const adjectives = words(`
  old quiet golden northern misty abandoned busy wild red blue green tiny giant frozen sunny rainy narrow wooden broken bright
  dark curious sleeping running medieval modern handmade painted silver crowded empty early late spring autumn winter summer
  hidden famous unknown floating stormy calm ancient dusty royal rural urban coastal alpine
`);

export const nouns = words(`
  bridge harbour cathedral castle lighthouse market station railway street garden forest mountain valley river lake waterfall
  beach island desert glacier meadow bird owl heron swallow fox deer horse cat dog butterfly beetle bee flower rose tulip
  orchid oak birch mushroom fern portrait landscape vase bowl teapot chair lamp map letter manuscript engraving sculpture
  statue fountain window door roof tower wall market boat ship ferry tram bicycle locomotive aeroplane festival parade concert
  wedding dancer fisherman baker child crowd skyline sunset sunrise cloud storm rainbow snow ice fog moon comet galaxy animal
  animation universe shell fossil skull leaf seed apple bread kitchen library museum theatre school hospital bakery cemetery
`);

export const places = words(`
  Amsterdam Bergen Bologna Braga Bruges Cork Cusco Dakar Delft Dresden Edinburgh Florence Gdansk Ghent Granada Hanoi Havana
  Helsinki Istanbul Jaipur Kyoto Lagos Leipzig Lima Lisbon Ljubljana Lucerne Lviv Marrakesh Melbourne Mombasa Nairobi Naples
  Oaxaca Osaka Oslo Porto Prague Quito Reykjavik Riga Salamanca Salzburg Sarajevo Seville Tallinn Tbilisi Toledo Utrecht
  Valletta Vilnius Wellington York Zagreb
`);

export const firstNames = words(`
  Ada Aiko Amara Anders Beatriz Carlos Chidi Clara Dmitri Elena Emeka Fatima Grace Hana Ingrid Ivan Jorge Kamala Lars Leila
  Linh Lucia Maria Mateo Mei Nadia Noor Olga Pedro Priya Rosa Samir Sofia Tomas Ursula Wanjiru Yusuf Zofia
`);

export const lastNames = words(`
  Abe Almeida Andersen Bakker Bianchi Costa Diallo Dubois Fischer Garcia Haddad Hansen Horvat Ivanova Jansen Kim Kowalska
  Kumar Larsen Lopez Mbeki Moreau Murphy Nguyen Novak Okafor Olsen Petrov Ribeiro Rossi Sato Schmidt Silva Singh Tanaka
  Weber Yilmaz
`);

export const sentencePieces = [
  'Seen from the bridge in the early morning.',
  'Part of a series about the people who work here.',
  'The building was restored after the fire and is open to visitors again.',
  'Gelatin silver print, mounted on card, with a note in pencil on the back.',
  'Thousands of birds rest here every autumn before they cross the sea.',
  'Donated by the family of the photographer.',
  'Please credit the author when you use this work.',
  'Recorded outdoors with a pair of small condenser microphones.',
  'Detail of the upper left corner; see the other views for the whole.',
  'No animals were disturbed while this picture was taken.',
  'First published in the yearbook of the society.',
  'The colours were adjusted slightly to match the original slide.',
  'It took three attempts and a lot of patience.',
  'Oil on canvas, signed and dated lower right.',
] as const;

export const genres = words(`
  ambient blues classical country dance electronic folk funk hiphop house jazz lounge metal pop punk reggae rock soul soundtrack
  techno world
`);
